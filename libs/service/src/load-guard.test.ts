import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLoadGuard, type LoadReading } from "./load-guard.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A guard with thresholds of 100 bytes and 50 ms, and its log. */
function guard() {
  const lines: [string, object][] = [];
  let now: LoadReading = { memory: 0, loopDelay: 0 };
  const log = { warn: (fields: object, message: string) => void lines.push([message, fields]) };
  const guard = createLoadGuard({
    memoryBytes: 100,
    loopDelayMs: 50,
    log: { warn: log.warn, info: log.warn } as never,
    messages: { over: "claims paused", under: "claims resumed" },
    read: () => now,
  });
  return {
    guard,
    lines,
    see(memory: number, loopDelay: number) {
      now = { memory, loopDelay };
      vi.advanceTimersByTime(1000);
      return guard.over();
    },
  };
}

test("load guard: a process is over a threshold after two checks, and below it again after two that are well below", () => {
  const { guard: load, lines, see } = guard();
  expect([see(101, 0), see(50, 0), see(101, 0), see(101, 0)]).toEqual([undefined, undefined, undefined, "memory"]);
  expect([see(95, 0), see(89, 0), see(95, 0), see(89, 0), see(89, 0)]).toEqual([
    "memory",
    "memory",
    "memory",
    "memory",
    undefined,
  ]);
  expect(lines).toMatchObject([
    ["claims paused", { reason: "memory", megabytes: 0, loopDelay: 0 }],
    ["claims resumed", { reason: "memory" }],
  ]);
  load.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("load guard: the delay of the event loop is a reason too, and the other threshold keeps it over", () => {
  const { see, lines } = guard();
  expect([see(0, 60), see(0, 60)]).toEqual([undefined, "loop-delay"]);
  expect([see(200, 60), see(200, 0), see(0, 0), see(0, 0)]).toEqual(["memory", "memory", "memory", undefined]);
  expect(lines.map(([message]) => message)).toEqual(["claims paused", "claims resumed"]);
});

test("load guard: it measures the process itself", () => {
  vi.useRealTimers();
  const messages = { over: "over", under: "under" };
  const log = { warn: vi.fn(), info: vi.fn() };
  const load = createLoadGuard({ memoryBytes: 1, loopDelayMs: 1e6, log, messages, everyMs: 5 });
  return vi.waitFor(() => expect(load.over()).toBe("memory")).finally(() => load.close());
});
