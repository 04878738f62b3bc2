import { readFileSync } from "node:fs";
import { createOpusDecoder, createOpusEncoder, readWav } from "@voxbus/audio";

const home = new URL("../../../samples/", import.meta.url);

/** For tests: a recording of samples/ at 16 kHz. */
export function loadSpeech(name: string): Int16Array {
  const { sampleRate, samples } = readWav(readFileSync(new URL(`${name}.wav`, home)));
  if (sampleRate !== 16_000) throw new Error(`samples/${name}.wav is not at 16 kHz`);
  return samples;
}

/** For tests: digital silence of so many ms. */
export function silence(ms: number): Int16Array {
  return new Int16Array(ms * 16);
}

/** For tests: a sound as a device sends it, Opus packets of 60 ms at 16 kHz. */
export function encodeSpeech(samples: Int16Array): Uint8Array[] {
  const encoder = createOpusEncoder({ sampleRate: 16_000 });
  const packets: Uint8Array[] = [];
  for (let at = 0; at < samples.length; at += 960) {
    const frame = new Int16Array(960);
    frame.set(samples.subarray(at, at + 960));
    packets.push(encoder.encode(frame));
  }
  encoder.close();
  return packets;
}

/** For tests: what arrives of a sound that went through Opus, in pieces of 60 ms. */
export function passThroughOpus(samples: Int16Array): Int16Array[] {
  const decoder = createOpusDecoder({ sampleRate: 16_000 });
  const pieces = encodeSpeech(samples).map((packet) => decoder.decode(packet));
  decoder.close();
  return pieces;
}
