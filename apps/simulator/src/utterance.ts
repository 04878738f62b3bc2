import { readFile } from "node:fs/promises";
import { createOpusEncoder, createResampler, readWav } from "@voxbus/audio";

/** What a stock device's microphone sends: 16 kHz mono in frames of 60 ms (docs/protocol.md, audio parameters). */
export const uplink = { sampleRate: 16_000, frameMs: 60, frameSamples: 960 } as const;

/** A recording as a device sends it: one Opus packet each 60 ms. It can be shared by many devices. */
export interface Utterance {
  readonly packets: readonly Uint8Array[];
  /** How many packets there are up to and with the last one that holds speech. */
  readonly voiced: number;
  /** Its length in ms. */
  readonly ms: number;
}

const voicedShareOfPeak = 0.05;
const leastVoicedLevel = 60;

/**
 * Encodes mono samples of any rate; the last frame is filled up with silence. Exported for tests.
 * @internal
 */
export function encodeUtterance(audio: { readonly samples: Int16Array; readonly sampleRate: number }): Utterance {
  const resampler = createResampler(audio.sampleRate, uplink.sampleRate);
  const body = resampler.write(audio.samples);
  const rest = resampler.flush();
  const count = Math.ceil((body.length + rest.length) / uplink.frameSamples);
  const samples = new Int16Array(count * uplink.frameSamples);
  samples.set(body);
  samples.set(rest, body.length);
  const frames = Array.from({ length: count }, (_, i) =>
    samples.subarray(i * uplink.frameSamples, (i + 1) * uplink.frameSamples),
  );
  const levels = frames.map((frame) =>
    Math.sqrt(frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length),
  );
  const threshold = Math.max(leastVoicedLevel, voicedShareOfPeak * Math.max(0, ...levels));
  return {
    packets: encodeFrames(frames),
    voiced: levels.findLastIndex((level) => level >= threshold) + 1,
    ms: count * uplink.frameMs,
  };
}

/** Reads a WAV file and encodes it. Throws naming the file when it cannot be read, is no 16-bit PCM or holds no sound. */
export async function loadUtterance(file: string): Promise<Utterance> {
  let utterance: Utterance;
  try {
    utterance = encodeUtterance(readWav(await readFile(file)));
  } catch (cause) {
    throw new Error(`${file} cannot be spoken: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (utterance.packets.length === 0) throw new Error(`${file} cannot be spoken: it holds no sound`);
  return utterance;
}

/** The packet for the nth frame (from 0) of silence after speech. */
export type Silence = (n: number) => Uint8Array;

const framesBeforeDtx = 4;
const refreshEvery = 7;
const noiseLevel = 20;

/**
 * A quiet room under DTX, as libopus does it: four frames of noise, then packets of one byte with a frame of noise every
 * 420 ms. Encoded once, for as many devices as one likes.
 */
export function encodeSilence(): Silence {
  const noise = Array.from({ length: framesBeforeDtx }, () =>
    Int16Array.from({ length: uplink.frameSamples }, () => Math.round((Math.random() - 0.5) * 2 * noiseLevel)),
  );
  const packets = encodeFrames(noise);
  const refresh = packets.at(-1)!;
  // The table of contents alone, of the same kind as its neighbours.
  const dtx = refresh.subarray(0, 1);
  return (n) => packets[n] ?? ((n - framesBeforeDtx) % refreshEvery === refreshEvery - 1 ? refresh : dtx);
}

function encodeFrames(frames: readonly Int16Array[]): Uint8Array[] {
  const encoder = createOpusEncoder({ sampleRate: uplink.sampleRate });
  try {
    return frames.map((frame) => encoder.encode(frame));
  } finally {
    encoder.close();
  }
}
