import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fitRise } from "./trend.ts";

test("trend: of a straight line is its whole rise", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), fc.integer({ min: 2, max: 50 }), (start, slope, length) => {
      const line = Array.from({ length }, (_, step) => start + slope * step);
      expect(fitRise(line)).toBeCloseTo(slope * (length - 1), 3);
    }),
  );
});

test("trend: one outlier does not make a trend, and too few values have none", () => {
  expect(fitRise([0, 0, 0, 0, 100, 0, 0, 0, 0, 0])).toBeLessThan(0);
  expect(fitRise([])).toBe(0);
  expect(fitRise([7])).toBe(0);
});
