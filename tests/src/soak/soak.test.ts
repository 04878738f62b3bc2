import { expect, it } from "vitest";
import type { Sample } from "./sample.ts";
import { fitSlope } from "./slope.ts";
import { findGrowth, findLeaks } from "./verdict.ts";

const minute = 60_000;
const sample = (at: number, held: number, rest: Partial<Sample> = {}): Sample => ({
  at,
  processes: new Map([["asr", { pid: 1, rss: 100, held, timers: 3, handles: 20 }]]),
  connections: 0,
  buffered: 0,
  waiting: 0,
  wakeups: 0,
  subscriptions: 50,
  consumers: { TURNS: 10 },
  stored: 0,
  keys: { presence: 1 },
  ...rest,
});
const run = (heldAt: (minutes: number) => number) =>
  findGrowth(Array.from({ length: 30 }, (_, n) => sample(n * minute, heldAt(n))));

it("slope: it is that of the line, and its error grows with the noise", () => {
  const line = fitSlope([0, 1, 2, 3].map((n) => ({ at: n * minute, value: 5 + n })));
  expect(line.perHour).toBeCloseTo(60);
  expect(line.error).toBeCloseTo(0);
  const noisy = fitSlope([0, 1, 2, 3, 4, 5].map((n) => ({ at: n * minute, value: n % 2 })));
  expect(Math.abs(noisy.perHour)).toBeLessThan(3 * noisy.error);
});

it("verdict: growing memory is a leak, and noise is not", () => {
  const before = sample(0, 20);
  const leaking = run((minutes) => 20 + minutes);
  expect(findLeaks({ before, after: before, growth: leaking })).toEqual(["asr: held grows by 60.0 MB an hour"]);
  const noisy = run((minutes) => 20 + 5 * (minutes % 2));
  expect(findLeaks({ before, after: before, growth: noisy })).toEqual([]);
});

it("verdict: everything that remains of the devices is named", () => {
  const before = sample(0, 20);
  const after = sample(minute, 20, {
    processes: new Map([["asr", { pid: 1, rss: 100, held: 20, timers: 30, handles: 90 }]]),
    connections: 2,
    buffered: 10,
    waiting: 3,
    wakeups: 4,
    subscriptions: 60,
    consumers: { TURNS: 11 },
    keys: { presence: 4 },
  });
  expect(findLeaks({ before, after, growth: [] })).toEqual([
    "asr: 70 more file handles than before",
    "asr: 27 more timers than before",
    "nats-server: 10 more subscriptions than before",
    "TURNS: 1 more consumers than before",
    "gateway: 2 connections remain",
    "gateway: 10 bytes remain in its memory budget",
    "gateway: 3 frames still wait for NATS",
    "gateway: 4 calls of sessions are still due",
    "presence: 3 keys remain",
  ]);
  const restarted = sample(minute, 20, {
    processes: new Map([["asr", { pid: 2, rss: 100, held: 20, timers: 3, handles: 20 }]]),
  });
  expect(findLeaks({ before, after: restarted, growth: [] })).toEqual(["asr: it was restarted"]);
});
