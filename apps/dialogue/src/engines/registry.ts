import type { EngineEntry } from "@voxbus/engines";
import { createPool, readRate, readWaiting } from "@voxbus/pools";
import type { DialogueConfig } from "../config.ts";
import { createEmbeddedEngine } from "./embedded.ts";
import type { LlmEngine } from "./engine.ts";
import type { CompleterOptions } from "./openai-completer.ts";
import { createOpenAiEngine } from "./openai.ts";

/** The reports of an engine, about what its model's server refuses. */
export type EngineReports = Pick<CompleterOptions, "onRefused" | "onTaken">;

type Kind = DialogueConfig["VOXBUS_LLM_ENGINE"];
type CreateEngine = (config: DialogueConfig, reports: EngineReports, entry?: EngineEntry) => LlmEngine;

/** Creates an engine from the configuration, by its kind. `entry` is that of an engine of the file. */
export const engines: Readonly<Record<Kind, CreateEngine>> = {
  embedded: (_config, _reports, entry) => ({ ...createEmbeddedEngine(), name: entry?.name ?? "embedded" }),
  openai: (config, reports, entry) => {
    const rate = readRate(config.VOXBUS_LLM_CALLS_PER_MINUTE, config.VOXBUS_LLM_KEY);
    return createOpenAiEngine({
      name: entry?.name,
      pool: createPool({
        name: entry === undefined ? "model" : `model-${entry.name}`,
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
      extra: config.VOXBUS_LLM_EXTRA,
      prompt: config.VOXBUS_LLM_PROMPT ?? config.VOXBUS_LLM_PROMPT_FILE,
      firstTokenMs: config.VOXBUS_LLM_FIRST_TOKEN_MS,
      nextTokenMs: config.VOXBUS_LLM_NEXT_TOKEN_MS,
      ...reports,
      identify: config.VOXBUS_LLM_IDENTIFY,
      rounds: config.VOXBUS_LLM_TOOL_ROUNDS,
    });
  },
};

/** Lists the names of all engines: one of each kind from the variables, and those of the file. */
export function nameEngines({ VOXBUS_ENGINES_FILE: file }: DialogueConfig): readonly string[] {
  return [...Object.keys(engines), ...(file?.entries ?? []).map(({ name }) => name)];
}

/** Lists the names of the engines that are asked where a profile names none, in order. */
export function nameUsual(config: DialogueConfig): readonly string[] {
  return config.VOXBUS_ENGINES_FILE?.usual ?? [config.VOXBUS_LLM_ENGINE];
}

/** Creates one of `nameEngines`. */
export function createEngine(name: string, config: DialogueConfig, reports: EngineReports): LlmEngine {
  const entry = config.VOXBUS_ENGINES_FILE?.entries.find((one) => one.name === name);
  if (entry === undefined) return engines[name as Kind](config, reports);
  return engines[entry.kind as Kind](applyEntry(config, entry), reports, entry);
}

/** Gives the configuration of an engine of the file. Its server, key and extra fields are its own. */
function applyEntry(config: DialogueConfig, entry: EngineEntry): DialogueConfig {
  return {
    ...config,
    VOXBUS_LLM_URL: entry.url,
    VOXBUS_LLM_MODEL: entry.model ?? config.VOXBUS_LLM_MODEL,
    VOXBUS_LLM_KEY: entry.key,
    VOXBUS_LLM_EXTRA: entry.extra,
    VOXBUS_LLM_FIRST_TOKEN_MS: entry.firstMs ?? config.VOXBUS_LLM_FIRST_TOKEN_MS,
    VOXBUS_LLM_NEXT_TOKEN_MS: entry.nextMs ?? config.VOXBUS_LLM_NEXT_TOKEN_MS,
    VOXBUS_LLM_REQUESTS: entry.requests ?? config.VOXBUS_LLM_REQUESTS,
  };
}
