import type { Priority } from "@voxbus/protocol";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createAdmission } from "./admission.ts";
import { ShedError } from "./waiting-work.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** An admission with some places, and what became of the work in it. */
function open({ places = 1, waiting = { high: 3, normal: 3, low: 3 } } = {}) {
  let size = places;
  const events: string[] = [];
  const admission = createAdmission({ free: (taken) => size - taken, deadlineMs: 1500, patienceMs: 10_000, waiting });
  const leaves = new Map<string, () => void>();
  const enter = (
    name: string,
    { age = 0, priority = "high", signal }: { age?: number; priority?: Priority; signal?: AbortSignal } = {},
  ) => {
    const request = { priority, since: performance.now() - age, onWait: () => events.push(`${name} waits`) };
    admission.enter(request, signal).then(
      (leave) => {
        events.push(name);
        leaves.set(name, leave);
      },
      (error: unknown) => events.push(`${name} ${error instanceof ShedError ? "shed" : "gone"}`),
    );
  };
  return {
    admission,
    events,
    enter,
    leave: (name: string) => leaves.get(name)?.(),
    resize(to: number) {
      size = to;
      admission.update();
    },
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
  };
}

describe("admission", () => {
  it("work that fits is admitted at once, and no one is told of a wait", async () => {
    const { admission, events, enter, pass } = open({ places: 2 });
    enter("a");
    enter("b");
    await pass(20_000);
    expect(events).toEqual(["a", "b"]);
    expect([admission.taken(), admission.waiting(), admission.spare()]).toEqual([2, 0, 0]);
  });

  it("work that waits: it is told once, 50 ms after the turn began, and not if a place is free before", async () => {
    const { events, enter, leave, pass } = open();
    enter("a");
    enter("b");
    await pass(30);
    leave("a");
    await pass(200);
    enter("c", { age: 20 });
    await pass(29);
    expect(events).toEqual(["a", "b"]);
    await pass(1);
    enter("d", { age: 5000 });
    await pass(0);
    expect(events).toEqual(["a", "b", "c waits", "d waits"]);
  });

  it("order: those in time before late ones, of those in time the newest, of late ones the oldest", async () => {
    const { events, enter, leave, pass } = open({ waiting: { high: 9, normal: 9, low: 9 } });
    enter("first");
    await pass(0);
    enter("late", { age: 1600 });
    enter("later", { age: 1700 });
    enter("old", { age: 100 });
    enter("new", { age: 50 });
    enter("news", { priority: "normal" });
    for (const name of ["first", "new", "old", "later", "late"]) {
      leave(name);
      await pass(0);
    }
    expect(events.filter((event) => !event.includes("waits"))).toEqual([
      "first",
      "new",
      "old",
      "later",
      "late",
      "news",
    ]);
  });

  it("patience: work is shed that has waited for 10 s since its turn began, an announcement after 60 s", async () => {
    const { admission, events, enter, pass } = open();
    enter("a");
    enter("b", { age: 4000 });
    enter("news", { priority: "normal" });
    await pass(5999);
    expect(events).not.toContain("b shed");
    await pass(1);
    expect(events).toContain("b shed");
    await pass(53_999);
    expect(events).not.toContain("news shed");
    await pass(1);
    expect(events).toContain("news shed");
    expect(admission.waiting()).toBe(0);
  });

  it("bound: beyond it work is shed at once, and no more is to be claimed", async () => {
    const { admission, events, enter, pass } = open();
    for (const name of ["a", "b", "c", "d"]) enter(name);
    expect(admission.room()).toBe(0);
    enter("e");
    await pass(0);
    expect(events).toContain("e shed");
    expect(admission.waiting("high")).toBe(3);
    await pass(1500);
    // Late work gives way to new work, the oldest first.
    expect(admission.room()).toBe(3);
    enter("f");
    await pass(0);
    expect(events.at(-1)).toBe("b shed");
    expect(admission.room()).toBe(2);
  });

  it("abort: work that no one waits for leaves the queue at once", async () => {
    const { admission, events, enter, pass } = open();
    const abort = new AbortController();
    enter("a");
    enter("b", { signal: abort.signal });
    abort.abort(new Error("fenced"));
    expect(admission.waiting()).toBe(0);
    enter("c", { signal: abort.signal });
    await pass(20_000);
    expect(events.toSorted()).toEqual(["a", "b gone", "c gone"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("places: a place is given back once, and more places admit more", async () => {
    const { admission, events, enter, leave, resize, pass } = open();
    enter("a");
    enter("b");
    enter("c");
    await pass(0);
    leave("a");
    leave("a");
    await pass(0);
    expect(events).toEqual(["a", "c"]);
    resize(4);
    await pass(0);
    expect(events).toEqual(["a", "c", "b"]);
    expect(admission.spare()).toBe(2);
    const leaveTaken = [admission.take(), admission.take(), admission.take()];
    expect([admission.taken(), admission.spare()]).toEqual([5, 0]);
    for (const one of leaveTaken) one();
    expect(admission.spare()).toBe(2);
  });
});
