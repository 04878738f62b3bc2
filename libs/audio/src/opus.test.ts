import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createOpusDecoder, createOpusEncoder } from "./opus.ts";
import { joinOpusFrames, OpusPacketError, readOpusPacket, splitOpusPacket } from "./opus-packet.ts";

const tone = (samples: number, offset = 0) =>
  Int16Array.from({ length: samples }, (_, i) =>
    Math.round(9000 * Math.sin((2 * Math.PI * 440 * (i + offset)) / 24_000)),
  );

const encodeTone = (frames: number) => {
  const encoder = createOpusEncoder({ sampleRate: 24_000 });
  const packets = Array.from({ length: frames }, (_, n) => encoder.encode(tone(1440, n * 1440)));
  encoder.close();
  return packets;
};

const energy = (samples: Int16Array) => samples.reduce((sum, value) => sum + value * value, 0) / samples.length;

test("Opus: sound survives the round trip, and 24 kHz decodes at 16 kHz", () => {
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const decoded = encodeTone(20).map((packet) => decoder.decode(packet));
  expect(decoded.every((samples) => samples.length === 960)).toBe(true);
  const crossings = decoded[10]!.filter((value, i, all) => i > 0 && value >= 0 !== all[i - 1]! >= 0).length;
  expect(crossings).toBeGreaterThanOrEqual(51);
  expect(crossings).toBeLessThanOrEqual(54);
  expect(10 * Math.log10(energy(decoded[10]!) / energy(tone(1440)))).toBeCloseTo(0, 0);
  decoder.close();
});

test("Opus: fresh encoders make the same packets, also beside each other", () => {
  expect(encodeTone(10)).toEqual(encodeTone(10));
  const [a, b] = [createOpusEncoder({ sampleRate: 24_000 }), createOpusEncoder({ sampleRate: 24_000 })];
  const interleaved = Array.from({ length: 10 }, (_, n) => {
    b.encode(tone(1440, n * 99));
    return a.encode(tone(1440, n * 1440));
  });
  expect(interleaved).toEqual(encodeTone(10));
  a.close();
  b.close();
});

test("Opus: 60 ms at 24 kbit/s are about 180 bytes, read as 60 ms", () => {
  const packets = encodeTone(20);
  expect(packets.every((packet) => readOpusPacket(packet).durationMs === 60)).toBe(true);
  expect(Math.max(...packets.map((packet) => packet.length))).toBeLessThan(400);
});

test("Opus: a frame of another length is rejected, and so is a call of a closed codec", () => {
  const encoder = createOpusEncoder({ sampleRate: 24_000 });
  expect(() => encoder.encode(new Int16Array(1000))).toThrow(RangeError);
  encoder.close();
  encoder.close();
  expect(() => encoder.encode(new Int16Array(1440))).toThrow("closed");
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  decoder.close();
  expect(() => decoder.decode(Uint8Array.of(0x58))).toThrow("closed");
});

test.each([
  ["SILK 60 ms, silence", [0x58], 60],
  ["SILK 20 ms with DTX bytes", [0x48, 0xff, 0xfe], 20],
  ["hybrid 10 ms", [0x60, 1], 10],
  ["CELT 2.5 ms", [0x80, 1], 2.5],
  ["two equal frames", [0x49, 1, 2], 40],
  ["two frames, first of one byte", [0x4a, 1, 7, 8, 9], 40],
  ["three frames of constant size", [0x4b, 3, 1, 2, 3], 60],
  ["three frames of own sizes", [0x4b, 0x83, 1, 2, 7, 8, 8, 9], 60],
  ["padding", [0x4b, 0x41, 2, 7, 0, 0], 20],
])("Opus packet: %s", (_, bytes, durationMs) => {
  expect(readOpusPacket(Uint8Array.from(bytes))).toEqual({ durationMs });
});

test.each([
  ["nothing", [], "empty"],
  ["two equal frames in odd bytes", [0x49, 1], "malformed"],
  ["a first frame longer than the packet", [0x4a, 9, 1], "malformed"],
  ["a cut length", [0x4a, 252], "malformed"],
  ["no frame count", [0x4b], "malformed"],
  ["no frames", [0x4b, 0], "malformed"],
  ["three frames of 60 ms", [0x5b, 3, 1, 2, 3], "malformed"],
  ["padding longer than the packet", [0x4b, 0x41, 9, 7], "malformed"],
  ["padding whose length never ends", [0x4b, 0x41, 255], "malformed"],
  ["a frame over 1,275 bytes", [0x58, ...Array<number>(1276).fill(1)], "malformed"],
  ["8,193 bytes", Array<number>(8193).fill(1), "too-long"],
])("Opus packet: %s is rejected by name", (_, bytes, code) => {
  expect(() => readOpusPacket(Uint8Array.from(bytes))).toThrow(
    expect.objectContaining({ name: "OpusPacketError", code }),
  );
});

test("Opus: no packet makes the decoder throw anything but the named error, lie about its length, or go deaf", () => {
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const good = encodeTone(3);
  const random = fc.uint8Array({ maxLength: 300 });
  const flipped = fc
    .tuple(fc.constantFrom(...good), fc.nat(), fc.integer({ min: 1, max: 255 }))
    .map(([packet, at, bits]) => packet.map((byte, i) => (i === at % packet.length ? byte ^ bits : byte)));
  const truncated = fc
    .tuple(fc.constantFrom(...good), fc.nat())
    .map(([packet, at]) => packet.slice(0, at % packet.length));
  fc.assert(
    fc.property(fc.oneof(random, flipped, truncated), (packet) => {
      try {
        expect(decoder.decode(packet).length).toBe(readOpusPacket(packet).durationMs * 16);
      } catch (error) {
        expect(error).toBeInstanceOf(OpusPacketError);
      }
    }),
    { numRuns: 5000 },
  );
  expect(decoder.decode(good[0]!).length).toBe(960);
  decoder.close();
});

test("Opus: a packet that is taken apart and joined again sounds the same, whatever the lengths of its frames", () => {
  const encoder = createOpusEncoder({ sampleRate: 24_000 });
  const single = Array.from({ length: 6 }, (_, n) => encoder.encode(tone(480, n * 480)));
  encoder.close();
  const frames = single.map((packet) => splitOpusPacket(packet).frames[0]!);
  const form = splitOpusPacket(single[0]!).form;
  const frame = fc.uint8Array({ maxLength: 1275 });
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 6 }), (parts) => {
      expect(splitOpusPacket(joinOpusFrames(form, parts))).toEqual({ form, stereo: false, frameMs: 20, frames: parts });
    }),
  );
  const sound = (packets: readonly Uint8Array[]) => {
    const decoder = createOpusDecoder({ sampleRate: 24_000 });
    const samples = packets.flatMap((packet) => [...decoder.decode(packet)]);
    decoder.close();
    return samples;
  };
  expect(sound([joinOpusFrames(form, frames)])).toEqual(sound(single));
});
