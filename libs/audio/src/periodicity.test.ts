import { expect, test } from "vitest";
import { measurePeriodicity } from "./periodicity.ts";

const make = (sample: (at: number) => number) =>
  Int16Array.from({ length: 640 }, (_, i) => Math.round(sample(i / 16_000)));
/** A vowel: all overtones of a pitch. */
const vowel = (hz: number) =>
  make((at) => [1, 2, 3, 4, 5].reduce((sum, n) => sum + (3000 / n) * Math.sin(2 * Math.PI * hz * n * at), 0));

test.each([80, 120, 200, 320, 390])("periodicity: a voice with a pitch of %i Hz has it", (hz) => {
  expect(measurePeriodicity(vowel(hz))).toBeGreaterThan(0.9);
});

test("periodicity: hiss, a click, silence and a constant have none", () => {
  let seed = 1;
  const hiss = make(() => ((seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32 - 0.5) * 20_000);
  const click = make((at) => (at === 0.02 ? 30_000 : 0));
  for (const sound of [hiss, click, make(() => 0), make(() => 12_000)])
    expect(measurePeriodicity(sound)).toBeLessThan(0.6);
});

test("periodicity: does not depend on the level", () => {
  const soft = vowel(120).map((sample) => Math.round(sample / 50));
  expect(measurePeriodicity(soft)).toBeCloseTo(measurePeriodicity(vowel(120)), 1);
});
