import { readFile } from "node:fs/promises";
import { createOpusEncoder, createResampler, readWav } from "@voxbus/audio";

/** What a device's microphone sends: one packet each 60 ms (docs/protocol.md, audio parameters). */
export const frameMs = 60;
const sampleRate = 16_000;
const frameSamples = (sampleRate * frameMs) / 1000;

const samples = new URL("../../../samples/", import.meta.url);

/** The packets of a recording in `samples/`, as a device sends them. */
export async function encodeSample(file: string): Promise<readonly Uint8Array[]> {
  const wav = readWav(await readFile(new URL(file, samples)));
  const resampler = createResampler(wav.sampleRate, sampleRate);
  const parts = [resampler.write(wav.samples), resampler.flush()];
  const whole = Int16Array.from(parts.flatMap((part) => [...part]));
  const frames = Array.from({ length: Math.ceil(whole.length / frameSamples) }, (_, i) => {
    const frame = new Int16Array(frameSamples);
    frame.set(whole.subarray(i * frameSamples, (i + 1) * frameSamples));
    return frame;
  });
  return encodeFrames(frames);
}

/** A packet of a quiet room, for as long as nobody speaks. */
export function encodeSilence(): Uint8Array {
  const noise = Int16Array.from({ length: frameSamples }, (_, i) => ((i * 7919) % 41) - 20);
  return encodeFrames([noise])[0]!;
}

function encodeFrames(frames: readonly Int16Array[]): Uint8Array[] {
  const encoder = createOpusEncoder({ sampleRate });
  try {
    return frames.map((frame) => encoder.encode(frame));
  } finally {
    encoder.close();
  }
}
