import { readFileSync } from "node:fs";
import { createOpusEncoder, readWav } from "@voxbus/audio";

const samplesDirectory = new URL("../../../samples/", import.meta.url);
const sampleRate = 16_000;
const packetSamples = 960;

/** Reads a recording of samples/ at 16 kHz by its name without `.wav`. */
export function loadSpeech(name: string): Int16Array {
  const wav = readWav(readFileSync(new URL(`${name}.wav`, samplesDirectory)));
  if (wav.sampleRate !== sampleRate) throw new Error(`samples/${name}.wav has ${wav.sampleRate} Hz, expected 16 kHz`);
  return wav.samples;
}

/** Makes `ms` of digital silence at 16 kHz. */
export function silence(ms: number): Int16Array {
  return new Int16Array((ms * sampleRate) / 1000);
}

/** Makes `ms` of a 440 Hz tone. */
export function createTone(rate: number, ms: number): Int16Array {
  return Int16Array.from({ length: (rate * ms) / 1000 }, (_, i) =>
    Math.round(8000 * Math.sin((2 * Math.PI * 440 * i) / rate)),
  );
}

/** Encodes samples at 16 kHz as a device does: Opus packets of 60 ms, the last one padded with silence. */
export function encodeSpeech(samples: Int16Array): Uint8Array[] {
  const encoder = createOpusEncoder({ sampleRate });
  const packets: Uint8Array[] = [];
  for (let at = 0; at < samples.length; at += packetSamples) {
    const frame = new Int16Array(packetSamples);
    frame.set(samples.subarray(at, at + packetSamples));
    packets.push(encoder.encode(frame));
  }
  encoder.close();
  return packets;
}
