import { createGrammar, garbagePrefix, intents, judgePhrase } from "@voxbus/intents";
import { createPool, readRate, readWaiting } from "@voxbus/pools";
import type { Log } from "@voxbus/subscriber";
import type { AsrConfig } from "../config.ts";
import { createEmbeddedEngine } from "./embedded.ts";
import type { AsrEngine } from "./engine.ts";
import { createOpenAiEngine } from "./openai.ts";

/** Creates an engine from the configuration, by its name. */
export const engines: Readonly<
  Record<AsrConfig["VOXBUS_ASR_ENGINE"], (config: AsrConfig, log: Pick<Log, "warn">) => Promise<AsrEngine>>
> = {
  embedded: (config, log) =>
    createEmbeddedEngine({
      grammar: createGrammar(intents),
      garbagePrefix,
      judge: (text) => judgePhrase(intents, text),
      threads: config.VOXBUS_ASR_THREADS,
      decoders: config.VOXBUS_ASR_DECODERS,
      name: poolName(config, "embedded"),
      // Only devices whose profile names it would need its 30 MB.
      standIn: config.VOXBUS_ASR_ENGINE !== "embedded",
      log,
    }),
  openai: async (config) =>
    createOpenAiEngine({
      url: config.VOXBUS_ASR_URL,
      model: config.VOXBUS_ASR_MODEL,
      key: config.VOXBUS_ASR_KEY,
      pool: createPool({
        name: poolName(config, "openai"),
        slots: config.VOXBUS_ASR_REQUESTS,
        waiting: readWaiting(config.VOXBUS_ASR_WAITING),
        timeoutMs: config.VOXBUS_ASR_TIMEOUT_MS,
        // A request that starts later cannot end in time.
        patienceMs: Math.max(0, config.VOXBUS_ASR_TRANSCRIPT_MS - config.VOXBUS_ASR_TIMEOUT_MS),
        rate: readRate(config.VOXBUS_ASR_CALLS_PER_MINUTE, config.VOXBUS_ASR_KEY),
      }),
    }),
};

/** The pool of the configured engine is `recognition`. Other engines are there for profiles that name them. */
function poolName(config: AsrConfig, engine: AsrConfig["VOXBUS_ASR_ENGINE"]): string {
  return config.VOXBUS_ASR_ENGINE === engine ? "recognition" : `recognition-${engine}`;
}
