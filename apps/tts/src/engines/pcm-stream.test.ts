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
