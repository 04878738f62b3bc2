import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOpusDecoder, readOpusPacket, writeWav } from "@voxbus/audio";
import { createTone } from "@voxbus/testing";
import { expect, test } from "vitest";
import { encodeSilence, encodeUtterance, loadUtterance } from "./utterance.ts";

test("utterance: any sample rate becomes 16 kHz packets of 60 ms, the last one padded", () => {
  const { packets, ms } = encodeUtterance({ samples: createTone(24_000, 250), sampleRate: 24_000 });
  expect(packets.map((packet) => readOpusPacket(packet).durationMs)).toEqual([60, 60, 60, 60, 60]);
  expect(ms).toBe(300);
});

test("utterance: speech ends with the last frame that is not silent", () => {
  const samples = new Int16Array(16_000);
  samples.set(createTone(16_000, 240), 1600);
  expect(encodeUtterance({ samples, sampleRate: 16_000 }).voiced).toBe(6);
});

test("utterance: silence is noise for four frames, then packets of one byte with some noise, all of 60 ms", () => {
  const silence = encodeSilence();
  const packets = Array.from({ length: 18 }, (_, n) => silence(n));
  expect(packets.map((packet) => packet.byteLength === 1)).toEqual(
    Array.from({ length: 18 }, (_, n) => n >= 4 && n !== 10 && n !== 17),
  );
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  for (const packet of packets) {
    expect(readOpusPacket(packet).durationMs).toBe(60);
    expect(Math.max(...decoder.decode(packet))).toBeLessThan(300);
  }
  decoder.close();
});

test("utterance: a file that is not a WAV, or has no samples, is an error with its name", async () => {
  const directory = await mkdtemp(join(tmpdir(), "voxbus-"));
  const file = join(directory, "a.wav");
  try {
    await writeFile(file, "not a recording at all");
    await expect(loadUtterance(file)).rejects.toThrow(`${file} cannot be spoken: not a WAV file`);
    await writeFile(file, writeWav({ sampleRate: 16_000, samples: new Int16Array(0) }));
    await expect(loadUtterance(file)).rejects.toThrow("holds no sound");
  } finally {
    await rm(directory, { recursive: true });
  }
});
