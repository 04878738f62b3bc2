import { writeWav } from "@voxbus/audio";
import { hasServer } from "@voxbus/engines";
import { channels, encodeEnvelope } from "@voxbus/protocol";
import { withStandIn, type Log } from "@voxbus/subscriber";
import type { TtsConfig } from "./config.ts";
import type { TtsEngine } from "./engines/engine.ts";
import { engines } from "./engines/registry.ts";
import { createReplyFrames } from "./reply-frames.ts";
import type { SentenceSpeaker } from "./sentence-speaker.ts";
import { packetMs } from "./speech-encoder.ts";

const text = "This is a sentence that no one hears.";
const rounds = 2;
const sampleRate = 22_050;
const soundMs = 1800;

/**
 * Speaks a sentence as often as it takes to have the code of a reply compiled. A speech server is not asked: a stand-in
 * answers in its place.
 */
export async function warmUp(
  deps: {
    readonly config: TtsConfig;
    readonly speaker: SentenceSpeaker;
    readonly engine: TtsEngine;
    readonly log: Log;
  },
  signal: AbortSignal,
): Promise<void> {
  const { config, speaker, log } = deps;
  if (!hasServer(config.VOXBUS_TTS_ENGINE, config.VOXBUS_ENGINES_FILE)) return rehearse(speaker, deps.engine, signal);
  const answer = { type: "audio/wav", body: writeWav({ sampleRate, samples: makeSound() }) };
  await withStandIn(answer, async (url) => {
    const engine = await engines.openai({ ...config, VOXBUS_TTS_URL: url, VOXBUS_TTS_KEY: undefined }, log);
    try {
      await rehearse(speaker, engine, signal);
    } finally {
      await engine.close();
    }
  });
}

async function rehearse(speaker: SentenceSpeaker, engine: TtsEngine, signal: AbortSignal): Promise<void> {
  const frames = createReplyFrames({ session: "warm-up", origin: 1, reply: "warm-up", attempt: 1 });
  for (let sentence = 0; sentence < rounds; sentence += 1) {
    for await (const { body } of speaker.rehearse(engine, text, signal)) {
      const frame = frames.add({ kind: "audio", duration: packetMs, body }, { sentence });
      encodeEnvelope(channels.out.schema, frame);
    }
  }
}

/** Makes a sound that costs an encoder as much as a voice: a tone that changes, and hiss. */
function makeSound(): Int16Array<ArrayBuffer> {
  return Int16Array.from({ length: (sampleRate * soundMs) / 1000 }, (_, n) => {
    const tone = Math.sin(n * (0.03 + 0.01 * Math.sin(n / 3000)));
    return 8000 * tone * (1 + Math.sin(n / 900)) + ((n * 7919) % 997);
  });
}
