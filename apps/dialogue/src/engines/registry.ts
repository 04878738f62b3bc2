import { createPool, readRate, readWaiting } from "@voxbus/pools";
import type { DialogueConfig } from "../config.ts";
import { createEmbeddedEngine } from "./embedded.ts";
import type { LlmEngine } from "./engine.ts";
import type { CompleterOptions } from "./openai-completer.ts";
import { createOpenAiEngine } from "./openai.ts";

/** The reports of engines, about what a model's server refuses. */
export type EngineReports = Pick<CompleterOptions, "onRefused" | "onTaken">;

/** Creates an engine from the configuration, by its name. */
export const engines: Readonly<
  Record<DialogueConfig["VOXBUS_LLM_ENGINE"], (config: DialogueConfig, reports: EngineReports) => Promise<LlmEngine>>
> = {
  embedded: async () => createEmbeddedEngine(),
  openai: async (config, reports) => {
    const rate = readRate(config.VOXBUS_LLM_CALLS_PER_MINUTE, config.VOXBUS_LLM_KEY);
    return createOpenAiEngine({
      pool: createPool({
        name: "model",
        slots: config.VOXBUS_LLM_REQUESTS,
        waiting: readWaiting(config.VOXBUS_LLM_WAITING),
        timeoutMs: config.VOXBUS_DIALOGUE_TURN_MS,
        patienceMs: config.VOXBUS_LLM_PATIENCE_MS,
        rate,
      }),
      onRepeat: () => rate?.take(),
      url: config.VOXBUS_LLM_URL,
      model: config.VOXBUS_LLM_MODEL,
      key: config.VOXBUS_LLM_KEY,
      firstTokenMs: config.VOXBUS_LLM_FIRST_TOKEN_MS,
      nextTokenMs: config.VOXBUS_LLM_NEXT_TOKEN_MS,
      ...reports,
      rounds: config.VOXBUS_LLM_TOOL_ROUNDS,
    });
  },
};
