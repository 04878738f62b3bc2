import { createOpusEncoder } from "@voxbus/audio";
import { hasServer } from "@voxbus/engines";
import { withStandIn, type Log } from "@voxbus/subscriber";
import type { WorkerPool } from "@voxbus/workers";
import type { AudioFrontEndContract } from "./audio-front-end-worker.ts";
import type { AsrConfig } from "./config.ts";
import type { AsrEngine, Transcript } from "./engines/engine.ts";
import { engines } from "./engines/registry.ts";

const sampleRate = 16_000;
const packetSamples = 960;
const speechMs = 1500;
const pauseMs = 900;
const requests = 2;

/** Dependencies of the warm-up. */
export interface WarmUpDeps {
  readonly config: AsrConfig;
  readonly frontEnds: WorkerPool<AudioFrontEndContract>;
  readonly log: Log;
}

/**
 * Hears a made-up utterance in every front-end thread that has started, so that their code is compiled. So is that of the client of a
 * recognizer's server, in whose place a stand-in answers. The embedded recognizer is left out: its first utterance costs hardly
 * more than the second.
 */
export async function warmUp({ config, frontEnds, log }: WarmUpDeps, signal: AbortSignal): Promise<void> {
  const sound = makeSound();
  const packets = encode(sound);
  const listens = Array.from({ length: frontEnds.threads }, () => listen(frontEnds, packets, signal));
  const answer = { type: "application/json", body: JSON.stringify({ text: "hello" }) };
  await Promise.all(listens);
  if (!hasServer(config.VOXBUS_ASR_ENGINE, config.VOXBUS_ENGINES_FILE)) return;
  await withStandIn(answer, async (url) => {
    const engine = await engines.openai({ ...config, VOXBUS_ASR_URL: url, VOXBUS_ASR_KEY: undefined }, log);
    for (let round = 0; round < requests; round += 1) await recognize(engine, sound, signal);
    await engine.close();
  });
}

/** Lets an engine recognize a sound. Resolves with its transcript. */
export async function recognize(engine: AsrEngine, sound: Int16Array, signal: AbortSignal): Promise<Transcript> {
  const recognition = engine.open({ language: "en" }, signal);
  recognition.write(sound);
  return recognition.finish();
}

async function listen(
  frontEnds: WorkerPool<AudioFrontEndContract>,
  packets: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  const task = frontEnds.open({ endMs: 700, pauseMs: 300, maxMs: 30_000 }, signal);
  for (const [seq, packet] of packets.entries()) task.write({ type: "packet", seq, packet });
  task.write({ type: "flush" });
  task.end();
  for await (const _ of task.results);
}

/** Makes a sound that a voice detector takes for a voice: harmonics of 120 Hz in syllables, then a pause. */
export function makeSound(): Int16Array {
  const sound = new Int16Array(((speechMs + pauseMs) * sampleRate) / 1000);
  for (let n = 0; n < (speechMs * sampleRate) / 1000; n += 1) {
    const turn = (2 * Math.PI * 120 * n) / sampleRate;
    const harmonics = Array.from({ length: 12 }, (_, h) => Math.sin(turn * (h + 1)) / (h + 1));
    const syllable = 0.6 + 0.4 * Math.sin((2 * Math.PI * 4 * n) / sampleRate);
    sound[n] = 5000 * syllable * harmonics.reduce((sum, value) => sum + value, 0);
  }
  return sound;
}

/** Encodes a sound as devices do. */
function encode(sound: Int16Array): readonly Uint8Array[] {
  const encoder = createOpusEncoder({ sampleRate, complexity: 0 });
  const packets: Uint8Array[] = [];
  for (let at = 0; at + packetSamples <= sound.length; at += packetSamples)
    packets.push(encoder.encode(sound.slice(at, at + packetSamples)));
  encoder.close();
  return packets;
}
