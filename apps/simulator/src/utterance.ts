import { readFile } from "node:fs/promises";
import { createOpusEncoder, createResampler, readWav } from "@voxbus/audio";

/** The format of a stock device's microphone: 16 kHz mono in frames of 60 ms (docs/protocol.md, audio parameters). */
export const uplink = { sampleRate: 16_000, frameMs: 60, frameSamples: 960 } as const;

/** A recording in Opus packets of 60 ms. Many devices can share it. */
export interface Utterance {
  readonly packets: readonly Uint8Array[];
  /** The number of packets up to the last one with speech. */
  readonly voiced: number;
  /** The length in ms. */
  readonly ms: number;
}

const voicedShareOfPeak = 0.05;
const leastVoicedLevel = 60;

/** Encodes mono samples of any rate and pads the last frame with silence. */
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

/** Reads and encodes a WAV file. Throws an error with its name if it is unreadable, not 16-bit PCM, or empty. */
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

/** Returns the packet of the nth frame (from 0) of silence after speech. */
export type Silence = (n: number) => Uint8Array;

const framesBeforeDtx = 4;
const refreshEvery = 7;
const noiseLevel = 20;

/**
 * Encodes a quiet room with DTX as libopus does: four frames of noise, then packets of one byte, with a frame of noise every
 * 420 ms. Many devices can share it.
 */
export function encodeSilence(): Silence {
  const noise = Array.from({ length: framesBeforeDtx }, () =>
    Int16Array.from({ length: uplink.frameSamples }, () => Math.round((Math.random() - 0.5) * 2 * noiseLevel)),
  );
  const packets = encodeFrames(noise);
  const refresh = packets.at(-1)!;
  // Only the TOC byte, the same as its neighbors'.
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
