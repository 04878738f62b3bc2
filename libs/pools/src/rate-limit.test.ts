import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPool } from "./pool.ts";
import { readRate } from "./pool-variables.ts";
import { createRateLimit } from "./rate-limit.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

test("rate: no minute has more calls than allowed, and each waits as long as foretold", async () => {
  const pauses = fc.array(fc.nat(20_000), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 }), pauses, async (perMinute, gaps) => {
      const rate = createRateLimit(perMinute);
      const pool = createPool({ name: "test", slots: 100, timeoutMs: 1000, patienceMs: 1e9, rate });
      const calls: number[] = [];
      const jobs: Promise<void>[] = [];
      for (const gap of gaps) {
        await vi.advanceTimersByTimeAsync(gap);
        const foretold = performance.now() + rate.waitMs(jobs.length - calls.length);
        const run = pool.run({ priority: "high", device: "d" }, async () => void calls.push(performance.now()));
        jobs.push(run.then(() => expect(Math.abs(calls[calls.length - 1]! - foretold)).toBeLessThanOrEqual(2)));
      }
      await vi.advanceTimersByTimeAsync(60_000 * (gaps.length + 1));
      await Promise.all(jobs);
      for (const [i, at] of calls.entries())
        expect(calls.slice(i).filter((later) => later < at + 60_000).length).toBeLessThanOrEqual(perMinute);
    }),
    { numRuns: 30 },
  );
});

test("rate: pools with one key share its calls, others do not", async () => {
  const open = (perMinute: number | undefined, key: string | undefined) =>
    createPool({ name: "test", slots: 100, timeoutMs: 1000, patienceMs: 1e9, rate: readRate(perMinute, key) });
  const pools = [
    open(3, "one"),
    open(3, "one"),
    open(3, "other"),
    open(4, "one"),
    open(3, undefined),
    open(3, undefined),
  ];
  const calls = pools.map(() => 0);
  const jobs = pools.flatMap((pool, i) =>
    [1, 2, 3].map(() => pool.run({ priority: "high", device: "d" }, async () => void (calls[i]! += 1))),
  );
  await vi.advanceTimersByTimeAsync(1000);
  expect(calls).toEqual([3, 0, 3, 3, 3, 3]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(calls).toEqual([3, 3, 3, 3, 3, 3]);
  await Promise.all(jobs);
});
