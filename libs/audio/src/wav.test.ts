import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readWav, readWavHeader, WavError, writeWav } from "./wav.ts";

const ascii = (text: string) => [...new TextEncoder().encode(text)];
const u32 = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
const u16 = (value: number) => [value & 255, value >>> 8];
const format = (options: { channels?: number; rate?: number; bits?: number; coding?: number }) => {
  const { channels = 1, rate = 16_000, bits = 16, coding = 1 } = options;
  const frame = (channels * bits) / 8;
  return [
    ...ascii("fmt "),
    ...u32(16),
    ...u16(coding),
    ...u16(channels),
    ...u32(rate),
    ...u32(rate * frame),
    ...u16(frame),
    ...u16(bits),
  ];
};
const file = (...parts: number[][]) =>
  Uint8Array.from([...ascii("RIFF"), ...u32(0xffffffff), ...ascii("WAVE"), ...parts.flat()]);

test("WAV: a written file is read back unchanged", () => {
  fc.assert(
    fc.property(fc.int16Array({ maxLength: 500 }), fc.integer({ min: 4000, max: 192_000 }), (samples, sampleRate) => {
      expect(readWav(writeWav({ sampleRate, samples }))).toEqual({ sampleRate, channels: 1, samples });
    }),
  );
});

test.each([0xffffffff, 0x7ffff000, 0])("WAV: a streamed length of %d is ignored", (length) => {
  const bytes = file(format({}), [...ascii("data"), ...u32(length)], [1, 0, 2, 0, 3]);
  expect([...readWav(bytes).samples]).toEqual([1, 2]);
});

test("WAV: chunks before and after the samples are skipped", () => {
  const odd = [...ascii("LIST"), ...u32(3), 1, 2, 3, 0];
  const bytes = file(odd, format({}), odd, [...ascii("data"), ...u32(2), 7, 0], odd);
  expect([...readWav(bytes).samples]).toEqual([7]);
});

test("WAV: several channels are mixed to one", () => {
  const bytes = file(format({ channels: 2 }), [...ascii("data"), ...u32(8)], [10, 0, 20, 0, 30, 0, 50, 0]);
  expect(readWav(bytes)).toEqual({ sampleRate: 16_000, channels: 2, samples: Int16Array.of(15, 40) });
});

const float = (bytes: 4 | 8, ...samples: number[]) => {
  const view = new DataView(new ArrayBuffer(bytes * samples.length));
  for (const [i, sample] of samples.entries())
    if (bytes === 4) view.setFloat32(i * 4, sample, true);
    else view.setFloat64(i * 8, sample, true);
  return [...new Uint8Array(view.buffer)];
};
const extended = (coding: number, bits: number) => [
  ...ascii("fmt "),
  ...u32(40),
  ...format({ coding: 0xfffe, bits }).slice(8),
  ...u16(22),
  ...u16(bits),
  ...u32(4),
  ...u16(coding),
  ...Array.from({ length: 14 }, () => 0),
];

test.each<[string, number[], number[], number[]]>([
  ["8 bits", format({ bits: 8 }), [0, 128, 129, 255], [-32_768, 0, 256, 32_512]],
  ["24 bits", format({ bits: 24 }), [9, 1, 0, 9, 255, 255], [1, -1]],
  ["32 bits", format({ bits: 32 }), [9, 9, 1, 0, 9, 9, 255, 255], [1, -1]],
  [
    "floating point of 32 bits",
    format({ coding: 3, bits: 32 }),
    float(4, 0, 1, -1, 2, NaN),
    [0, 32_767, -32_767, 32_767, 0],
  ],
  ["floating point of 64 bits", format({ coding: 3, bits: 64 }), float(8, 0, 1, -3), [0, 32_767, -32_768]],
  ["an extended header of 16 bits", extended(1, 16), [1, 0, 2, 0], [1, 2]],
  ["an extended header of floating point", extended(3, 32), float(4, 1), [32_767]],
  ["two channels of 24 bits", format({ bits: 24, channels: 2 }), [0, 2, 0, 0, 4, 0], [3]],
])("WAV: %s are read as 16 bits", (_, header, data, samples) => {
  const bytes = file(header, [...ascii("data"), ...u32(data.length)], data);
  expect([...readWav(bytes).samples]).toEqual(samples);
});

test("WAV: an incomplete header needs more bytes", () => {
  const whole = file(format({ rate: 22_050 }), [...ascii("data"), ...u32(2)]);
  for (let length = 0; length < whole.length; length++)
    expect(readWavHeader(whole.subarray(0, length))).toBeUndefined();
  expect(readWavHeader(whole)).toEqual({ sampleRate: 22_050, channels: 1, coding: "s16", dataStart: 44, dataBytes: 2 });
});

test.each([
  ["other codings", file(format({ coding: 6, bits: 8 }))],
  ["other widths", file(format({ bits: 12 }))],
  ["floating point of 16 bits", file(format({ coding: 3 }))],
  ["no channels", file(format({ channels: 0 }))],
  ["a rate of nothing", file(format({ rate: 0 }))],
  ["samples before their format", file([...ascii("data"), ...u32(0)])],
  ["something else", Uint8Array.from(ascii("ID3 this is music"))],
  ["an early end", file(format({}))],
])("WAV: %s are rejected by name", (_, bytes) => {
  expect(() => readWav(bytes)).toThrow(WavError);
});

test("WAV: no bytes throw anything but the named error", () => {
  const near = fc
    .tuple(fc.constant(file()), fc.uint8Array({ maxLength: 80 }))
    .map(([a, b]) => Uint8Array.from([...a, ...b]));
  fc.assert(
    fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 80 })), (bytes) => {
      try {
        readWav(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(WavError);
      }
    }),
  );
});
