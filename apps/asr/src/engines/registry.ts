import type { EngineEntry } from "@voxbus/engines";
import { createGrammar, garbagePrefix, intents, judgePhrase } from "@voxbus/intents";
import { createPool, readRate, readWaiting } from "@voxbus/pools";
import type { Log } from "@voxbus/subscriber";
import { countThreads, type AsrConfig } from "../config.ts";
import { createEmbeddedEngine } from "./embedded.ts";
import type { AsrEngine } from "./engine.ts";
import { createOpenAiEngine } from "./openai.ts";

type Kind = AsrConfig["VOXBUS_ASR_ENGINE"];
type CreateEngine = (config: AsrConfig, log: Pick<Log, "warn">, entry?: EngineEntry) => Promise<AsrEngine>;

/** Creates an engine from the configuration, by its kind. `entry` is that of an engine of the file. */
export const engines: Readonly<Record<Kind, CreateEngine>> = {
  embedded: async (config, log, entry) => {
    const engine = await createEmbeddedEngine({
      grammar: createGrammar(intents),
      garbagePrefix,
      judge: (text) => judgePhrase(intents, text),
      threads: countThreads(config).recognizer,
      decoders: config.VOXBUS_ASR_DECODERS,
      name: poolName(config, "embedded", entry),
      // Only devices whose profile names it would need its 30 MB.
      standIn: entry !== undefined || config.VOXBUS_ASR_ENGINE !== "embedded",
      log,
    });
    return { ...engine, name: entry?.name ?? engine.name };
  },
  openai: async (config, _log, entry) =>
    createOpenAiEngine({
      name: entry?.name,
      url: config.VOXBUS_ASR_URL,
      model: config.VOXBUS_ASR_MODEL,
      key: config.VOXBUS_ASR_KEY,
      extra: entry?.extra,
      pool: createPool({
        name: poolName(config, "openai", entry),
        slots: config.VOXBUS_ASR_REQUESTS,
        waiting: readWaiting(config.VOXBUS_ASR_WAITING),
        timeoutMs: config.VOXBUS_ASR_TIMEOUT_MS,
        // A request that starts later cannot end in time.
        patienceMs: Math.max(0, config.VOXBUS_ASR_TRANSCRIPT_MS - config.VOXBUS_ASR_TIMEOUT_MS),
        rate: readRate(config.VOXBUS_ASR_CALLS_PER_MINUTE, config.VOXBUS_ASR_KEY),
      }),
    }),
};

/** Lists the names of all engines: one of each kind from the variables, and those of the file. */
export function nameEngines({ VOXBUS_ENGINES_FILE: file }: AsrConfig): readonly string[] {
  return [...Object.keys(engines), ...(file?.entries ?? []).map(({ name }) => name)];
}

/** Lists the names of the engines that are asked where a profile names none, in order. */
export function nameUsual(config: AsrConfig): readonly string[] {
  return config.VOXBUS_ENGINES_FILE?.usual ?? [config.VOXBUS_ASR_ENGINE];
}

/** Creates one of `nameEngines`. */
export function createEngine(name: string, config: AsrConfig, log: Pick<Log, "warn">): Promise<AsrEngine> {
  const entry = config.VOXBUS_ENGINES_FILE?.entries.find((one) => one.name === name);
  if (entry === undefined) return engines[name as Kind](config, log);
  return engines[entry.kind as Kind](applyEntry(config, entry), log, entry);
}

/** Gives the configuration of an engine of the file. Its server and key are its own. */
function applyEntry(config: AsrConfig, entry: EngineEntry): AsrConfig {
  return {
    ...config,
    VOXBUS_ASR_URL: entry.url,
    VOXBUS_ASR_MODEL: entry.model ?? config.VOXBUS_ASR_MODEL,
    VOXBUS_ASR_KEY: entry.key,
    VOXBUS_ASR_TIMEOUT_MS: entry.timeoutMs ?? config.VOXBUS_ASR_TIMEOUT_MS,
    VOXBUS_ASR_REQUESTS: entry.requests ?? config.VOXBUS_ASR_REQUESTS,
  };
}

/** The pool of the configured engine is `recognition`. Other engines are there for profiles that name them. */
function poolName(config: AsrConfig, kind: Kind, entry: EngineEntry | undefined): string {
  if (entry !== undefined) return `recognition-${entry.name}`;
  return config.VOXBUS_ASR_ENGINE === kind ? "recognition" : `recognition-${kind}`;
}
