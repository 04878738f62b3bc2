import type { Presence } from "@voxbus/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { describeSession } from "./test-registry.ts";
import { watchSessions, type SessionWatch } from "./session-watch.ts";

const times = { everyMs: 10, missingMs: 100, lateMs: 300, settleMs: 500 };
const online = new Map<string, Presence>();
let connected: boolean;
let change: (connected: boolean) => void;
let watch: SessionWatch;

const enter = (device: string, session: string) =>
  online.set(device, { ...describeSession(session), term: 1, gateway: "g1", epoch: "e1" });
const setConnected = (now: boolean) => {
  connected = now;
  change(now);
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  online.clear();
  connected = true;
  const onChange = (listener: (connected: boolean) => void) => {
    change = listener;
    return { close: () => undefined };
  };
  watch = watchSessions({ connected: () => connected, onChange }, { online: (device) => online.get(device) }, times);
});
afterEach(() => {
  watch.close();
  vi.useRealTimers();
});

test("sessions: one is gone at once when its device has another, and after a while when it is missing", () => {
  const gone: string[] = [];
  for (const device of ["moved", "lost", "stays"]) {
    enter(device, "s1");
    watch.follow({ device, session: "s1" }, () => gone.push(device));
  }
  vi.advanceTimersByTime(1000);
  enter("moved", "s2");
  online.delete("lost");
  vi.advanceTimersByTime(20);
  expect(gone).toEqual(["moved"]);
  vi.advanceTimersByTime(120);
  expect(gone).toEqual(["moved", "lost"]);
  vi.advanceTimersByTime(10_000);
  expect(gone).toHaveLength(2);
});

test("sessions: presence that comes late, or again in time, counts", () => {
  const gone = vi.fn();
  enter("late", "s0");
  watch.follow({ device: "late", session: "s1" }, gone);
  vi.advanceTimersByTime(250);
  enter("late", "s1");
  vi.advanceTimersByTime(1000);
  online.delete("late");
  vi.advanceTimersByTime(80);
  enter("late", "s1");
  vi.advanceTimersByTime(1000);
  expect(gone).not.toHaveBeenCalled();
});

test("sessions: one that never comes is gone; without a session the first one is followed", () => {
  const gone: string[] = [];
  watch.follow({ device: "never", session: "s1" }, () => gone.push("never"));
  watch.follow({ device: "any" }, () => gone.push("any"));
  enter("any", "s1");
  vi.advanceTimersByTime(350);
  expect(gone).toEqual(["never"]);
  enter("any", "s2");
  vi.advanceTimersByTime(20);
  expect(gone).toEqual(["never", "any"]);
});

test("sessions: none is gone while NATS is away, or has just come back; a closed one is not reported", () => {
  const gone = vi.fn();
  const closed = vi.fn();
  enter("here", "s1");
  watch.follow({ device: "here", session: "s1" }, gone);
  watch.follow({ device: "here", session: "s1" }, closed).close();
  vi.advanceTimersByTime(50);
  setConnected(false);
  online.delete("here");
  vi.advanceTimersByTime(10_000);
  setConnected(true);
  vi.advanceTimersByTime(490);
  expect(gone).not.toHaveBeenCalled();
  vi.advanceTimersByTime(150);
  expect(gone).toHaveBeenCalledOnce();
  expect(closed).not.toHaveBeenCalled();
});
