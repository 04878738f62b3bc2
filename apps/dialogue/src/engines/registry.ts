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
  openai: async (config, reports) =>
    createOpenAiEngine({
      url: config.VOXBUS_LLM_URL,
      model: config.VOXBUS_LLM_MODEL,
      key: config.VOXBUS_LLM_KEY,
      firstTokenMs: config.VOXBUS_LLM_FIRST_TOKEN_MS,
      nextTokenMs: config.VOXBUS_LLM_NEXT_TOKEN_MS,
      ...reports,
      rounds: config.VOXBUS_LLM_TOOL_ROUNDS,
    }),
};
