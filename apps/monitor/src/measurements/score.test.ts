import * as fc from "fast-check";
import { expect, test } from "vitest";
import { scoreTurns } from "./score.ts";

const sound = (p95: number) => ({ p50: p95, p95, p99: p95, count: 100 });

test("score: is 100 if every turn is answered in time without a gap, and unknown without a turn", () => {
  expect(scoreTurns({ answered: 9, broken: 0, failed: 0, shed: 0 }, sound(1500), 1500)?.value).toBe(100);
  expect(scoreTurns({ answered: 0, broken: 0, failed: 0, shed: 0 }, undefined, 1500)).toBeUndefined();
});

test("score: is the product of the shares that are answered, without a gap, and in time", () => {
  const score = scoreTurns({ answered: 80, broken: 8, failed: 5, shed: 15 }, sound(3000), 1500);
  expect(score).toEqual({ value: 36, answered: 0.8, smooth: 0.9, prompt: 0.5, turns: 100, failed: 5, shed: 15 });
});

test("score: lies between 0 and 100, and no turn that is shed, broken or slower raises it", () => {
  const count = fc.nat({ max: 10_000 });
  fc.assert(
    fc.property(
      count,
      count,
      count,
      count,
      fc.integer({ min: 1, max: 60_000 }),
      (smooth, broken, failed, shed, p95) => {
        fc.pre(smooth + broken + failed + shed > 0);
        const counts = { answered: smooth + broken, broken, failed, shed };
        const value = (more: object, slower = 0) =>
          scoreTurns({ ...counts, ...more }, sound(p95 + slower), 1500)!.value;
        const now = value({});
        expect(now).toBeGreaterThanOrEqual(0);
        expect(now).toBeLessThanOrEqual(100);
        expect(value({ shed: shed + 1 })).toBeLessThanOrEqual(now);
        expect(value({ failed: failed + 1 })).toBeLessThanOrEqual(now);
        expect(value({}, 100)).toBeLessThanOrEqual(now);
        if (smooth > 0) expect(value({ broken: broken + 1 })).toBeLessThanOrEqual(now);
      },
    ),
  );
});
