import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createCalls, type Calls } from "./calls.ts";

let calls: Calls;
let told: string[];
let connected: { readonly between: string; readonly signal: AbortSignal }[];
const online = new Set(["kitchen", "hall", "attic"]);

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  connected = [];
  calls = createCalls({
    find: (name) => (online.has(name) ? name : undefined),
    announce: (device, text) => void told.push(`${device}: ${text}`),
    connect: ({ caller, callee }, signal) => void connected.push({ between: `${caller} ${callee}`, signal }),
    ringMs: 30_000,
    talkMs: 600_000,
  });
});
afterEach(() => {
  calls.close();
  vi.useRealTimers();
});

/** Connects the kitchen and the hall. */
function connect() {
  calls.hear("kitchen", "Call the hall.");
  calls.hear("hall", "Yes, please.");
  told.splice(0);
  return connected[0]!.signal;
}

test("calls: nothing is carried before the callee has said yes", () => {
  expect(calls.hear("kitchen", "Call the hall.")).toBe("I am calling hall.");
  expect(told).toEqual(["hall: kitchen is calling. Do you want to talk?"]);
  expect(calls.hear("hall", "What is this?")).toBe("kitchen is calling. Say yes or no.");
  // The caller cannot consent for the callee.
  expect(calls.hear("kitchen", "yes")).toBe("I am calling hall. Say hang up to stop.");
  expect(connected).toEqual([]);
  expect(calls.hear("hall", "Yes, please.")).toBeUndefined();
  expect(connected.map(({ between }) => between)).toEqual(["kitchen hall"]);
});

test("calls: each side hangs up, and the other is told", () => {
  for (const [one, other] of [
    ["kitchen", "hall"],
    ["hall", "kitchen"],
  ] as const) {
    const signal = connect();
    expect(calls.hear(one, "and then I said")).toBeUndefined();
    expect(calls.hear(one, "Please hang up now")).toBe("The call has ended.");
    expect(signal.aborted).toBe(true);
    expect(told.splice(0)).toEqual([`${other}: ${one} has hung up.`]);
    expect(calls.hear(other, "hello")).toBe("Say call, and the name of a device.");
    connected.splice(0);
  }
});

test("calls: a callee who declines, or does not answer, is not connected", () => {
  calls.hear("kitchen", "call hall");
  expect(calls.hear("hall", "No, not now.")).toBe("All right.");
  expect(told.at(-1)).toBe("kitchen: hall cannot talk now.");
  calls.hear("kitchen", "call hall");
  vi.advanceTimersByTime(30_000);
  expect(told.slice(-2)).toEqual(["hall: You missed a call from kitchen.", "kitchen: hall does not answer."]);
  expect(calls.hear("hall", "yes")).toBe("Say call, and the name of a device.");
  expect(connected).toEqual([]);
});

test("calls: a device that is busy, unknown or itself is not called", () => {
  connect();
  expect(calls.hear("attic", "call kitchen")).toBe("kitchen is busy.");
  expect(calls.hear("attic", "call garage")).toBe("garage is not connected.");
  expect(calls.hear("attic", "call attic")).toBe("That is this device.");
  expect(told).toEqual([]);
});

test("calls: a device that goes ends its call, also while it rings", () => {
  const signal = connect();
  calls.leave("hall", "gone");
  expect(signal.aborted).toBe(true);
  expect(told.splice(0)).toEqual(["kitchen: hall is no longer connected."]);
  calls.leave("hall", "gone");
  expect(told).toEqual([]);
  calls.hear("kitchen", "call hall");
  calls.leave("kitchen", "gone");
  expect(told.at(-1)).toBe("hall: kitchen is no longer connected.");
  vi.advanceTimersByTime(60_000);
  expect(told).toHaveLength(2);
});

test("calls: a call has a longest time, and both are told", () => {
  const signal = connect();
  vi.advanceTimersByTime(599_999);
  expect(signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signal.aborted).toBe(true);
  expect(told.toSorted()).toEqual(["hall: The call has ended.", "kitchen: The call has ended."]);
});
