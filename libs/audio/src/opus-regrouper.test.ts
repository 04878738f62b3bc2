import { Encoder } from "@evan/opus/wasm/index.mjs";
import { expect, onTestFinished, test } from "vitest";
import { createOpusDecoder, createOpusEncoder } from "./opus.ts";
import { joinOpusFrames, readOpusPacket, splitOpusPacket } from "./opus-packet.ts";
import { createOpusRegrouper, type RegroupedSound } from "./opus-regrouper.ts";

const rate = 24_000;
const head = { preSkip: 312, gain: 1 };

const speech = (samples: number) =>
  Int16Array.from({ length: samples }, (_, i) => 6000 * Math.sin(i / 9) * (1 + Math.sin(i / 1500)));

/** Encodes frames of `ms`. */
function encode(ms: number, count: number, bitrate = 32_000): Uint8Array<ArrayBuffer>[] {
  const encoder = createOpusEncoder({ sampleRate: rate, bitrate });
  const size = (rate / 1000) * ms;
  const sound = speech(size * count);
  const packets = Array.from({ length: count }, (_, n) => encoder.encode(sound.slice(n * size, (n + 1) * size)));
  encoder.close();
  return packets;
}

function decode(packets: readonly Uint8Array[]): number[] {
  const decoder = createOpusDecoder({ sampleRate: rate });
  const samples = packets.flatMap((packet) => [...decoder.decode(packet)]);
  decoder.close();
  return samples;
}

function regroup(
  packets: readonly Uint8Array[],
  options: { readonly head?: typeof head; readonly keep?: number } = {},
) {
  const regrouper = createOpusRegrouper();
  onTestFinished(() => regrouper.close());
  const sounds: RegroupedSound[] = [
    ...regrouper.begin(options.head ?? head),
    ...packets.flatMap((packet, n) => regrouper.write(packet, n === packets.length - 1 ? options.keep : undefined)),
    ...regrouper.flush(),
  ];
  return {
    sounds,
    packets: sounds.flatMap((sound) => ("packets" in sound ? sound.packets : [])),
    samples: sounds.flatMap((sound) => ("samples" in sound ? [...sound.samples] : [])),
  };
}

/** The level of the difference between two sounds against the first one, dB. */
function compare(sound: readonly number[], other: readonly number[]): number {
  const power = (values: readonly number[]) => values.reduce((sum, value) => sum + value ** 2, 0);
  return 10 * Math.log10(power(sound.map((value, i) => value - (other[i] ?? 0))) / power(sound));
}

test.each([
  [60, 1],
  [20, 3],
  [10, 6],
  [5, 12],
  [2.5, 24],
])("Opus regrouper: frames of %d ms are joined to packets of 60 ms that sound the same", (ms, count) => {
  const given = encode(ms, count * 8, 64_000);
  const { packets, samples } = regroup(given);
  expect(packets.map((packet) => readOpusPacket(packet).durationMs)).toEqual(Array(8).fill(60));
  expect(samples).toEqual([]);
  expect(decode(packets)).toEqual(decode(given));
});

test("Opus regrouper: packets of 60 ms pass as they are", () => {
  const given = encode(60, 5);
  expect(regroup(given).packets).toEqual(given);
});

test("Opus regrouper: packets of several frames are taken apart", () => {
  const given = encode(20, 24, 64_000);
  const form = given[0]![0]! & 0xfc;
  const pairs = Array.from({ length: 4 }, (_, n) =>
    joinOpusFrames(
      form,
      given.slice(n * 6, n * 6 + 6).map((packet) => packet.subarray(1)),
    ),
  );
  expect(pairs.map((packet) => readOpusPacket(packet).durationMs)).toEqual([120, 120, 120, 120]);
  expect(regroup(pairs).packets).toEqual(regroup(given).packets);
});

test("Opus regrouper: the rest that makes no packet is decoded, as it sounds behind the packets before", () => {
  const given = encode(20, 20, 64_000);
  const { packets, samples } = regroup(given);
  expect(packets).toHaveLength(6);
  const whole = decode(given);
  expect(samples).toHaveLength(960);
  expect(compare(whole.slice(-960), samples)).toBeLessThan(-30);
});

test("Opus regrouper: stereo is decoded to mono", () => {
  const encoder = new Encoder({ channels: 2, sample_rate: rate, application: "audio" });
  const mono = speech(480 * 9);
  const stereo = Array.from({ length: 9 }, (_, n) =>
    encoder.encode(Int16Array.from({ length: 960 }, (_, i) => mono[n * 480 + (i >> 1)]!)),
  );
  encoder.drop();
  expect(splitOpusPacket(stereo[3]!).stereo).toBe(true);
  const { packets, samples } = regroup(stereo);
  expect(packets).toEqual([]);
  // What is not to be heard at the start is left out.
  expect(samples).toHaveLength(480 * 9 - 156);
});

test.each([
  ["frames of 40 ms", encode(40, 6, 12_000)],
  ["packets that are too long for a datagram", encode(20, 12, 400_000)],
])("Opus regrouper: %s are decoded", (_, given) => {
  const { packets, samples } = regroup(given);
  expect(packets).toEqual([]);
  expect(samples).toEqual(decode(given).slice(156));
});

test("Opus regrouper: frames of another form within a packet end the passing, and nothing is lost", () => {
  const given = [...encode(20, 7, 64_000), ...encode(10, 12, 64_000)];
  const { packets, samples, sounds } = regroup(given);
  expect(packets).toHaveLength(2);
  expect(samples).toHaveLength((7 * 20 + 12 * 10 - 120) * 24);
  expect(sounds.findLastIndex((sound) => "packets" in sound)).toBeLessThan(
    sounds.findIndex((sound) => "samples" in sound),
  );
  expect(compare(decode(given).slice(-samples.length), samples)).toBeLessThan(-30);
});

test("Opus regrouper: frames of another form pass where a packet begins", () => {
  const given = [...encode(20, 6, 64_000), ...encode(10, 12, 64_000)];
  const { packets, samples } = regroup(given);
  expect(packets).toHaveLength(4);
  expect(samples).toEqual([]);
});

test("Opus regrouper: a gain is applied, and a long start that is not to be heard is left out", () => {
  const given = encode(60, 5);
  const quiet = regroup(given, { head: { preSkip: 0, gain: 0.5 } });
  expect(quiet.packets).toEqual([]);
  expect(compare(decode(given).map((value) => value / 2), quiet.samples)).toBeLessThan(-60); // prettier-ignore
  const late = regroup(given, { head: { preSkip: 3840, gain: 1 } });
  expect(late.samples).toEqual(decode(given).slice(1920));
});

test("Opus regrouper: what is not to be heard at the end is left out of decoded sound, and of whole packets", () => {
  const given = encode(40, 4, 12_000);
  expect(regroup(given, { keep: 480 }).samples).toEqual(decode(given).slice(156, 3 * 960 + 240));
  expect(regroup(encode(60, 4), { keep: 0 }).packets).toHaveLength(3);
});

test("Opus regrouper: another stream begins anew, after the rest of the one before", () => {
  const regrouper = createOpusRegrouper();
  onTestFinished(() => regrouper.close());
  const [some, more] = [encode(20, 4, 64_000), encode(40, 1, 12_000)];
  regrouper.begin(head);
  for (const packet of some) regrouper.write(packet);
  expect(regrouper.begin(head)).toMatchObject([{ samples: { length: 480 } }]);
  expect(regrouper.write(more[0]!)).toMatchObject([{ samples: { length: 960 - 156 } }]);
  expect(regrouper.begin(head)).toEqual([]);
  expect(
    some
      .slice(0, 3)
      .flatMap((packet) => regrouper.write(packet))
      .at(-1),
  ).toMatchObject({
    packets: [{ 0: (some[0]![0]! & 0xfc) | 3 }],
  });
});
