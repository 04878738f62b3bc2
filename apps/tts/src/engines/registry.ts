import { availableParallelism } from "node:os";
import { createPool, readRate, readWaiting, type Pool } from "@voxbus/pools";
import type { Log } from "@voxbus/subscriber";
import type { TtsConfig } from "../config.ts";
import { createEmbeddedEngine } from "./embedded.ts";
import { TtsError, type TtsEngine } from "./engine.ts";
import { createEspeakEngine, findEspeak } from "./espeak.ts";
import { createOpenAiEngine } from "./openai.ts";
import { createPooledEngine } from "./pooled-engine.ts";

type EngineName = TtsConfig["VOXBUS_TTS_ENGINE"];

/** Creates an engine from the configuration, by its name. Throws TtsError when it is not installed or has no such voice. */
export const engines: Readonly<Record<EngineName, (config: TtsConfig, log: Pick<Log, "warn">) => Promise<TtsEngine>>> =
  {
    embedded: (config, log) =>
      createEmbeddedEngine({
        // One thread is enough for a stand-in.
        threads: config.VOXBUS_TTS_ENGINE === "embedded" ? countThreads(config) : 1,
        standIn: config.VOXBUS_TTS_ENGINE !== "embedded",
        voice: voiceOf(config, "embedded"),
        name: poolName(config, "embedded"),
        log,
      }),
    espeak: async (config) => {
      const program = await findEspeak();
      if (program === undefined) throw new TtsError("unavailable", "there is no espeak-ng on PATH");
      const timeoutMs = config.VOXBUS_TTS_ESPEAK_MS;
      const voice = voiceOf(config, "espeak");
      const engine = await createEspeakEngine({ program, voice, timeoutMs });
      return createPooledEngine(engine, openPool(config, "espeak", countThreads(config)));
    },
    openai: async (config) => {
      const engine = createOpenAiEngine({
        url: config.VOXBUS_TTS_URL,
        key: config.VOXBUS_TTS_KEY,
        model: config.VOXBUS_TTS_MODEL,
        voice: voiceOf(config, "openai") ?? "alloy",
        format: config.VOXBUS_TTS_FORMAT,
        sampleRate: config.VOXBUS_TTS_SAMPLE_RATE,
        firstSoundMs: config.VOXBUS_TTS_FIRST_SOUND_MS,
        nextSoundMs: config.VOXBUS_TTS_NEXT_SOUND_MS,
      });
      return createPooledEngine(engine, openPool(config, "openai", config.VOXBUS_TTS_REQUESTS));
    },
  };

/** The threads of the embedded engine, and the processes of espeak-ng. */
function countThreads(config: TtsConfig): number {
  return config.VOXBUS_TTS_ENGINE_THREADS ?? availableParallelism();
}

/** Creates the pool of an engine. Calls of a server with a key have a rate limit. */
function openPool(config: TtsConfig, engine: EngineName, slots: number): Pool {
  const perMinute = config.VOXBUS_TTS_CALLS_PER_MINUTE;
  return createPool({
    name: poolName(config, engine),
    slots,
    waiting: readWaiting(config.VOXBUS_TTS_WAITING),
    timeoutMs: config.VOXBUS_TTS_TIMEOUT_MS,
    patienceMs: config.VOXBUS_TTS_PATIENCE_MS,
    rate: engine === "openai" ? readRate(perMinute, config.VOXBUS_TTS_KEY) : undefined,
  });
}

/** The pool of the configured engine is `synthesis`. Other engines stand in for it, and for profiles that name them. */
function poolName(config: TtsConfig, engine: EngineName): string {
  return config.VOXBUS_TTS_ENGINE === engine ? "synthesis" : `synthesis-${engine}`;
}

/** The configured voice, which is one of the chosen engine only. */
function voiceOf(config: TtsConfig, engine: EngineName): string | undefined {
  return config.VOXBUS_TTS_ENGINE === engine ? config.VOXBUS_TTS_VOICE : undefined;
}
