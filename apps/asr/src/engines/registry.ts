import { createGrammar, garbagePrefix, intents, judgePhrase } from "@voxbus/intents";
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
      log,
    }),
  openai: async (config) =>
    createOpenAiEngine({
      url: config.VOXBUS_ASR_URL,
      model: config.VOXBUS_ASR_MODEL,
      key: config.VOXBUS_ASR_KEY,
      slots: config.VOXBUS_ASR_REQUESTS,
      timeoutMs: config.VOXBUS_ASR_TIMEOUT_MS,
    }),
};
