import { availableParallelism } from "node:os";
import type { EngineEntry } from "@voxbus/engines";
import { createPool, readRate, readWaiting, type Pool } from "@voxbus/pools";
import { ConfigError, type Log } from "@voxbus/subscriber";
import type { TtsConfig } from "../config.ts";
import { createEmbeddedEngine } from "./embedded.ts";
import { TtsError, type TtsEngine } from "./engine.ts";
import { createEspeakEngine, findEspeak } from "./espeak.ts";
import { createOpenAiEngine } from "./openai.ts";
import { createPooledEngine } from "./pooled-engine.ts";

type Kind = TtsConfig["VOXBUS_TTS_ENGINE"];
type CreateEngine = (config: TtsConfig, log: Pick<Log, "warn">, entry?: EngineEntry) => Promise<TtsEngine>;

/**
 * Creates an engine from the configuration, by its kind. `entry` is that of an engine of the file. Throws TtsError when it is not
 * installed or has no such voice.
 */
export const engines: Readonly<Record<Kind, CreateEngine>> = {
  embedded: async (config, log, entry) => {
    // One thread is enough for a stand-in.
    const isStandIn = entry !== undefined || config.VOXBUS_TTS_ENGINE !== "embedded";
    const threads = isStandIn ? 1 : countThreads(config);
    const voice = voiceOf(config, "embedded", entry);
    const engine = await createEmbeddedEngine({ threads, standIn: isStandIn, voice, log });
    const named = { ...engine, name: entry?.name ?? engine.name };
    return createPooledEngine(named, openPool(config, "embedded", threads, entry), Infinity);
  },
  espeak: async (config, _log, entry) => {
    const program = await findEspeak();
    if (program === undefined) throw new TtsError("unavailable", "there is no espeak-ng on PATH");
    const timeoutMs = config.VOXBUS_TTS_ESPEAK_MS;
    const voice = voiceOf(config, "espeak", entry);
    const engine = await createEspeakEngine({ program, voice, timeoutMs });
    const named = { ...engine, name: entry?.name ?? engine.name };
    return createPooledEngine(named, openPool(config, "espeak", countThreads(config), entry), Infinity);
  },
  openai: async (config, _log, entry) => {
    const engine = createOpenAiEngine({
      name: entry?.name,
      url: config.VOXBUS_TTS_URL,
      key: config.VOXBUS_TTS_KEY,
      model: config.VOXBUS_TTS_MODEL,
      voice: voiceOf(config, "openai", entry) ?? "alloy",
      extra: entry?.extra,
      format: config.VOXBUS_TTS_FORMAT,
      sampleRate: config.VOXBUS_TTS_SAMPLE_RATE,
      firstSoundMs: config.VOXBUS_TTS_FIRST_SOUND_MS,
      nextSoundMs: config.VOXBUS_TTS_NEXT_SOUND_MS,
    });
    return createPooledEngine(engine, openPool(config, "openai", config.VOXBUS_TTS_REQUESTS, entry));
  },
};

/** Lists the names of the engines that are asked where a profile names none, in order. */
export function nameUsual(config: TtsConfig): readonly string[] {
  return config.VOXBUS_ENGINES_FILE?.usual ?? [config.VOXBUS_TTS_ENGINE];
}

/** Creates an engine by its name: that of a kind, or of an engine of the file. Throws ConfigError if the latter is not available. */
export async function createEngine(name: string, config: TtsConfig, log: Pick<Log, "warn">): Promise<TtsEngine> {
  const entry = config.VOXBUS_ENGINES_FILE?.entries.find((one) => one.name === name);
  if (entry === undefined) return engines[name as Kind](config, log);
  try {
    return await engines[entry.kind as Kind](applyEntry(config, entry), log, entry);
  } catch (cause) {
    if (!(cause instanceof TtsError)) throw cause;
    throw new ConfigError([`VOXBUS_ENGINES_FILE: engine "${name}": ${cause.message}`], { cause });
  }
}

/** Gives the configuration of an engine of the file. Its server, key, voice and form of sound are its own. */
function applyEntry(config: TtsConfig, entry: EngineEntry): TtsConfig {
  return {
    ...config,
    VOXBUS_TTS_URL: entry.url,
    VOXBUS_TTS_MODEL: entry.model ?? config.VOXBUS_TTS_MODEL,
    VOXBUS_TTS_KEY: entry.key,
    VOXBUS_TTS_FORMAT: entry.format,
    VOXBUS_TTS_SAMPLE_RATE: entry.sampleRate,
    VOXBUS_TTS_FIRST_SOUND_MS: entry.firstMs ?? config.VOXBUS_TTS_FIRST_SOUND_MS,
    VOXBUS_TTS_NEXT_SOUND_MS: entry.nextMs ?? config.VOXBUS_TTS_NEXT_SOUND_MS,
    VOXBUS_TTS_REQUESTS: entry.requests ?? config.VOXBUS_TTS_REQUESTS,
  };
}

/** The threads of the embedded engine, and the processes of espeak-ng. */
function countThreads(config: TtsConfig): number {
  return config.VOXBUS_TTS_ENGINE_THREADS ?? availableParallelism();
}

/** Creates the pool of an engine. Calls of a server with a key have a rate limit. */
function openPool(config: TtsConfig, kind: Kind, slots: number, entry: EngineEntry | undefined): Pool {
  const perMinute = config.VOXBUS_TTS_CALLS_PER_MINUTE;
  return createPool({
    name: poolName(config, kind, entry),
    slots,
    waiting: readWaiting(config.VOXBUS_TTS_WAITING),
    timeoutMs: config.VOXBUS_TTS_TIMEOUT_MS,
    patienceMs: config.VOXBUS_TTS_PATIENCE_MS,
    rate: kind === "openai" ? readRate(perMinute, config.VOXBUS_TTS_KEY) : undefined,
  });
}

/** The pool of the configured engine is `synthesis`. Other engines stand in for it, and for profiles that name them. */
function poolName(config: TtsConfig, kind: Kind, entry: EngineEntry | undefined): string {
  if (entry !== undefined) return `synthesis-${entry.name}`;
  return config.VOXBUS_TTS_ENGINE === kind ? "synthesis" : `synthesis-${kind}`;
}

/** The configured voice, which is one of the chosen engine only. An engine of the file has its own. */
function voiceOf(config: TtsConfig, kind: Kind, entry: EngineEntry | undefined): string | undefined {
  if (entry !== undefined) return entry.voice;
  return config.VOXBUS_TTS_ENGINE === kind ? config.VOXBUS_TTS_VOICE : undefined;
}
