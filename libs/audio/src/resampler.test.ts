import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createResampler } from "./resampler.ts";

const tone = (options: { hz: number; rate: number; samples: number; amplitude?: number }) =>
  Int16Array.from({ length: options.samples }, (_, i) =>
    Math.round((options.amplitude ?? 20_000) * Math.sin((2 * Math.PI * options.hz * i) / options.rate)),
  );

const resample = (from: number, to: number, samples: Int16Array): Int16Array => {
  const resampler = createResampler(from, to);
  return Int16Array.from([...resampler.write(samples), ...resampler.flush()]);
};

/** The best fitting tone of this frequency: its level, and everything else against it, in dB. */
const measure = (samples: Int16Array, hz: number, rate: number) => {
  const middle = samples.subarray(samples.length >> 2, (samples.length * 3) >> 2);
  let sine = 0;
  let cosine = 0;
  const angle = (i: number) => (2 * Math.PI * hz * (i + (samples.length >> 2))) / rate;
  middle.forEach((value, i) => {
    sine += (2 / middle.length) * value * Math.sin(angle(i));
    cosine += (2 / middle.length) * value * Math.cos(angle(i));
  });
  let rest = 0;
  middle.forEach((value, i) => (rest += (value - sine * Math.sin(angle(i)) - cosine * Math.cos(angle(i))) ** 2));
  const amplitude = Math.hypot(sine, cosine);
  return {
    gainDb: 20 * Math.log10(amplitude / 20_000),
    snrDb: 10 * Math.log10((amplitude ** 2 * middle.length) / 2 / rest),
    phase: Math.atan2(cosine, sine),
  };
};

test.each([
  [16_000, 24_000, 1000],
  [16_000, 24_000, 5000],
  [22_050, 24_000, 1000],
  [22_050, 24_000, 7000],
  [24_000, 16_000, 3000],
  [48_000, 16_000, 3000],
])("resampler: %d → %d Hz keeps a tone of %d Hz: level, cleanness and time", (from, to, hz) => {
  const output = measure(resample(from, to, tone({ hz, rate: from, samples: from })), hz, to);
  expect(Math.abs(output.gainDb)).toBeLessThan(0.1);
  expect(output.snrDb).toBeGreaterThan(75);
  expect(Math.abs(output.phase)).toBeLessThan(0.01);
});

test.each([
  [24_000, 16_000, 10_000],
  [48_000, 16_000, 11_000],
])("resampler: %d → %d Hz lets nothing of %d Hz through", (from, to, hz) => {
  const output = resample(from, to, tone({ hz, rate: from, samples: from }));
  const loudest = output.subarray(200, -200).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(loudest).toBeLessThanOrEqual(2);
});

test.each([
  [16_000, 24_000],
  [22_050, 24_000],
  [48_000, 24_000],
  [11_025, 24_000],
  [44_100, 16_000],
])("resampler: %d → %d Hz is flat to 0.34 of the lower rate, and loses 1.5 dB at most at 0.43 of it", (from, to) => {
  const gainAt = (share: number) => {
    const hz = Math.round(share * Math.min(from, to));
    return measure(resample(from, to, tone({ hz, rate: from, samples: from })), hz, to).gainDb;
  };
  for (const share of [0.01, 0.1, 0.2, 0.3, 0.34]) expect(Math.abs(gainAt(share))).toBeLessThan(0.02);
  expect(gainAt(0.43)).toBeGreaterThan(-1.5);
});

test.each([
  [8000, 24_000],
  [11_025, 24_000],
  [16_000, 24_000],
  [22_050, 24_000],
  [16_000, 48_000],
])("resampler: %d → %d Hz makes no image above -80 dB", (from, to) => {
  for (const share of [0.05, 0.2, 0.34, 0.42]) {
    const hz = Math.round(share * from);
    // Two seconds, so that whole periods are measured.
    const output = resample(from, to, tone({ hz, rate: from, samples: 2 * from, amplitude: 30_000 }));
    for (const image of [from - hz, from + hz, 2 * from - hz]) {
      if (image > to / 2) continue;
      expect(measure(output, image, to).gainDb).toBeLessThan(-80);
    }
  }
});

test.each([
  [24_000, 16_000],
  [48_000, 24_000],
  [44_100, 24_000],
  [48_000, 16_000],
])("resampler: %d → %d Hz lets no tone through that is above 0.57 of the lower rate", (from, to) => {
  for (let hz = 0.57 * to; hz < from / 2; hz += 0.05 * to) {
    const output = resample(from, to, tone({ hz: Math.round(hz), rate: from, samples: from }));
    const middle = output.subarray(200, -200);
    // What is left is the rounding to whole samples.
    expect(Math.sqrt(middle.reduce((sum, value) => sum + value ** 2, 0) / middle.length)).toBeLessThan(1.5);
  }
});

test("resampler: full scale is clipped, not wrapped", () => {
  const square = Int16Array.from({ length: 4000 }, (_, i) => ((i >> 5) & 1 ? 32_767 : -32_768));
  const output = resample(16_000, 24_000, square);
  for (let i = 100; i < output.length - 100; i++) {
    const source = square[Math.floor((i * 2) / 3)]!;
    if (square[Math.floor((i * 2) / 3) - 8] === source && square[Math.floor((i * 2) / 3) + 8] === source) {
      expect(Math.sign(output[i]!)).toBe(Math.sign(source));
    }
  }
});

test("resampler: blocks of any size make the same stream, of the promised length", () => {
  const rate = fc.constantFrom(8000, 11_025, 12_000, 16_000, 22_050, 23_981, 24_000, 32_000, 44_100, 48_000);
  const blocks = fc.array(fc.int16Array({ maxLength: 700 }), { maxLength: 6 });
  fc.assert(
    fc.property(rate, rate, blocks, (from, to, blocks) => {
      const whole = Int16Array.from(blocks.flatMap((block) => [...block]));
      const resampler = createResampler(from, to);
      const streamed = [...blocks.flatMap((block) => [...resampler.write(block)]), ...resampler.flush()];
      expect(streamed).toEqual([...resample(from, to, whole)]);
      expect(streamed.length).toBe(Math.ceil((whole.length * to) / from));
    }),
    { numRuns: 60 },
  );
});

test("resampler: after a flush it begins anew", () => {
  const resampler = createResampler(22_050, 24_000);
  const samples = tone({ hz: 400, rate: 22_050, samples: 999 });
  const once = () => [...resampler.write(samples), ...resampler.flush()];
  expect(once()).toEqual(once());
});

test.each([0, 3999, 16_000.5, Number.NaN, 200_000])("resampler: a rate of %d is rejected", (rate) => {
  expect(() => createResampler(rate, 16_000)).toThrow(RangeError);
  expect(() => createResampler(16_000, rate)).toThrow(RangeError);
});
