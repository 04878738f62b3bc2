import { writeWav } from "@voxbus/audio";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readPcmStream } from "./pcm-stream.ts";

async function* cut(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

const collect = async (bytes: Uint8Array, sizes: readonly number[], rawRate?: number) => {
  const samples: number[] = [];
  let rate: number | undefined;
  for await (const sound of readPcmStream(cut(bytes, sizes), rawRate)) {
    rate = sound.sampleRate;
    samples.push(...sound.samples);
  }
  return { rate, samples };
};

const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 20 });

test("PCM stream: WAV and raw sound survive any cut, odd ones too", async () => {
  await fc.assert(
    fc.asyncProperty(fc.int16Array({ minLength: 2, maxLength: 100 }), sizes, async (samples, sizes) => {
      fc.pre(new Uint8Array(samples.buffer)[0] !== 0x52);
      const wav = writeWav({ sampleRate: 22_050, samples });
      expect(await collect(wav, sizes)).toEqual({ rate: 22_050, samples: [...samples] });
      expect(await collect(wav, sizes, 8000)).toEqual({ rate: 22_050, samples: [...samples] });
      expect(await collect(wav.subarray(44), sizes, 16_000)).toEqual({ rate: 16_000, samples: [...samples] });
    }),
  );
});

test("PCM stream: bytes that are not sound are rejected by name", async () => {
  const text = new TextEncoder().encode('{"error":"no"}');
  await expect(collect(text, [])).rejects.toMatchObject({ name: "TtsError", code: "bad-audio" });
  const cutHeader = writeWav({ sampleRate: 16_000, samples: new Int16Array(9) }).subarray(0, 30);
  await expect(collect(cutHeader, [])).rejects.toMatchObject({ code: "bad-audio" });
  const endless = new Uint8Array(70_000).fill(65);
  endless.set(new TextEncoder().encode("RIFF0000WAVE"));
  await expect(collect(endless, [])).rejects.toMatchObject({ code: "bad-audio" });
});

test("PCM stream: an empty stream has no sound", async () => {
  expect(await collect(new Uint8Array(0), [])).toEqual({ rate: undefined, samples: [] });
});

/** Writes a WAV header of any form in front of bytes. */
function wavOf(
  bytes: Uint8Array,
  form: { readonly coding?: number; readonly bits?: number; readonly channels?: number; readonly length?: number },
  rate = 22_050,
): Uint8Array {
  const { coding = 1, bits = 16, channels = 1, length = bytes.length } = form;
  const wav = new Uint8Array(44 + bytes.length);
  wav.set(writeWav({ sampleRate: rate, samples: new Int16Array(0) }));
  wav.set(bytes, 44);
  const view = new DataView(wav.buffer);
  view.setUint16(20, coding, true);
  view.setUint16(22, channels, true);
  view.setUint16(34, bits, true);
  view.setUint32(40, length, true);
  return wav;
}

const bytesOf = (...samples: number[]) => new Uint8Array(Int16Array.from(samples).buffer);
const list = new Uint8Array([...new TextEncoder().encode("LIST"), 4, 0, 0, 0, 1, 2, 3, 4]);
const append = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

test.each<[string, Uint8Array, number[]]>([
  ["two channels", wavOf(bytesOf(10, 20, 30, 50), { channels: 2 }), [15, 40]],
  ["8 bits", wavOf(Uint8Array.of(0, 128, 255), { bits: 8 }), [-32_768, 0, 32_512]],
  ["24 bits", wavOf(Uint8Array.of(9, 1, 0, 9, 255, 255), { bits: 24 }), [1, -1]],
  ["32 bits", wavOf(Uint8Array.of(9, 9, 1, 0), { bits: 32 }), [1]],
  [
    "floating point",
    wavOf(new Uint8Array(Float32Array.of(0, 1, -1).buffer), { coding: 3, bits: 32 }),
    [0, 32_767, -32_767],
  ],
  ["a length of 0", wavOf(bytesOf(1, 2, 3), { length: 0 }), [1, 2, 3]],
  ["a length of 0xFFFFFFFF", wavOf(bytesOf(1, 2, 3), { length: 0xffffffff }), [1, 2, 3]],
  ["a length that is too short", wavOf(bytesOf(1, 2, 3, 4, 5), { length: 4 }), [1, 2, 3, 4, 5]],
  ["a length that is too long", wavOf(bytesOf(1, 2), { length: 4000 }), [1, 2]],
  ["chunks after the samples", append(wavOf(bytesOf(1, 2), {}), list), [1, 2]],
  [
    "chunks after samples of an odd length",
    append(wavOf(Uint8Array.of(0), { bits: 8 }), Uint8Array.of(0), list),
    [-32_768],
  ],
  [
    "several files in a row",
    append(wavOf(bytesOf(1, 2), {}), wavOf(bytesOf(3), {}), wavOf(bytesOf(4), {})),
    [1, 2, 3, 4],
  ],
])("PCM stream: a WAV with %s is read, whatever the cuts", async (_, bytes, samples) => {
  await fc.assert(
    fc.asyncProperty(sizes, async (sizes) => {
      expect(await collect(bytes, sizes)).toEqual({ rate: 22_050, samples });
    }),
    { numRuns: 30 },
  );
});

test.each([8000, 11_025, 16_000, 22_050, 44_100, 48_000])("PCM stream: a WAV at %i Hz keeps its rate", async (rate) => {
  expect(await collect(wavOf(bytesOf(1, 2), {}, rate), [])).toEqual({ rate, samples: [1, 2] });
});

test.each(["ID3", "OggS", "fLaC"])(
  "PCM stream: a compressed sound (%s) is rejected, not played as samples",
  async (name) => {
    const bytes = new TextEncoder().encode(`${name}${"x".repeat(100)}`);
    await expect(collect(bytes, [], 24_000)).rejects.toMatchObject({ code: "bad-audio" });
  },
);

test("PCM stream: files of different rates in a row are rejected", async () => {
  const bytes = append(wavOf(bytesOf(1, 2), {}, 16_000), wavOf(bytesOf(3), {}, 24_000));
  await expect(collect(bytes, [])).rejects.toMatchObject({ code: "bad-audio" });
});
