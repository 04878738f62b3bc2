import * as fc from "fast-check";
import { expect, test } from "vitest";
import { findLastingRise } from "./trend.ts";

const points = 60;
const curve = (valueAt: (step: number) => number, length = points) =>
  Array.from({ length }, (_, step) => valueAt(step));

test("lasting rise: of a straight line is its rise between the lowest values of the first and the last quarter", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 1e6 }), (start, slope) => {
      expect(findLastingRise(curve((step) => start + slope * step))).toBeCloseTo((slope * points * 3) / 4, 3);
    }),
  );
});

test("lasting rise: a leak is found under the ups and downs of a collector", () => {
  expect(findLastingRise(curve((step) => 80 + 1.5 * step + 40 * ((step % 7) / 7)))).toBeGreaterThan(50);
});

// Resident memory in MB, every 30 s from the start: 20 minutes without work, then 9 minutes with 15 devices.
const recorded = {
  tts: [
    164, 164, 225, 232, 233, 232, 232, 231, 231, 231, 231, 232, 232, 232, 232, 233, 232, 233, 232, 232, 232, 232, 233,
    233, 233, 233, 189, 208, 208, 209, 209, 209, 209, 209, 209, 209, 210, 210, 209, 209, 209, 209, 267, 248, 270, 251,
    270, 253, 308, 313, 367, 274, 273, 293, 217, 236, 274, 236, 274, 236,
  ],
  monitor: [
    103, 103, 84, 83, 83, 85, 85, 83, 83, 84, 84, 84, 85, 85, 85, 85, 85, 86, 86, 86, 86, 86, 87, 87, 87, 88, 87, 88,
    88, 88, 88, 88, 89, 88, 89, 89, 88, 89, 89, 89, 89, 89, 91, 91, 91, 91, 96, 96, 96, 96, 96, 96, 96, 95, 95, 95, 95,
    98, 97, 98,
  ],
}; // prettier-ignore

test.each<[string, readonly number[]]>([
  ["a recorded synthesizer", recorded.tts],
  ["a recorded monitor", recorded.monitor],
  ["a warm-up that flattens", curve((step) => 80 + 120 * (1 - Math.exp(-step / 9)), 150)],
  ["a step", curve((step) => (step < 75 ? 80 : 220), 150)],
  ["two steps", curve((step) => (step < 70 ? 80 : step < 85 ? 150 : 220), 150)],
  ["a slow collector", curve((step) => 80 + 120 * ((step % 18) / 18), 150)],
  ["an outlier at the end", curve((step) => (step === 80 ? 900 : 80), 150)],
  ["memory that is given back", curve((step) => 300 - 3 * step)],
])("lasting rise: %s is no leak", (_, values) => {
  for (let from = 0; from + points <= values.length; from += 1) {
    expect(findLastingRise(values.slice(from, from + points))).toBeLessThan(25);
  }
});

test("lasting rise: too few values have none", () => {
  expect([[], [7], [7, 900]].map(findLastingRise)).toEqual([0, 0, 0]);
});
