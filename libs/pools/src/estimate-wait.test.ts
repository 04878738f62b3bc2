import * as fc from "fast-check";
import { expect, test } from "vitest";
import { estimateWait } from "./estimate-wait.ts";

test("estimate: work with equal times waits as long as a simulation says", () => {
  const state = fc.record({
    slots: fc.integer({ min: 1, max: 20 }),
    ahead: fc.nat(60),
    ages: fc.array(fc.nat(99), { maxLength: 20 }),
  });
  fc.assert(
    fc.property(state, ({ slots, ahead, ages }) => {
      const startedAt = ages.slice(0, slots).map((age) => 1000 - age);
      const waitMs = estimateWait({ slots, ahead, now: 1000, startedAt, meanMs: 100 });
      const free = startedAt.map((at) => at + 100);
      while (free.length < slots) free.push(1000);
      for (let i = 0; i < ahead; i += 1) {
        free.sort((a, b) => a - b);
        free[0]! += 100;
      }
      expect(waitMs).toBe(Math.min(...free) - 1000);
    }),
  );
});

test("estimate: running work that is older than the mean makes the wait longer", () => {
  const state = { slots: 2, ahead: 4, now: 10_000, meanMs: 100 };
  const usual = estimateWait({ ...state, startedAt: [9950, 9950] });
  expect(estimateWait({ ...state, startedAt: [5000, 5000] })).toBeGreaterThan(10 * usual);
});
