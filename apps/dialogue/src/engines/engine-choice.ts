import type { Profile } from "@voxbus/protocol";
import type { DialogueConfig } from "../config.ts";
import type { LlmEngine } from "./engine.ts";
import { engines, type EngineReports } from "./registry.ts";

/** Every engine, and the choice among them. */
export interface EngineChoice {
  readonly engines: readonly LlmEngine[];
  /** Gives the engine for a profile: the profile's own, otherwise the configured one. */
  engineOf(profile: Profile): LlmEngine;
}

/** Creates every engine. */
export async function createEngineChoice(config: DialogueConfig, reports: EngineReports): Promise<EngineChoice> {
  const created = new Map(
    await Promise.all(
      Object.entries(engines).map(async ([name, create]) => [name, await create(config, reports)] as const),
    ),
  );
  return {
    engines: [...created.values()],
    engineOf: (profile) => created.get(profile.engines.llm ?? "") ?? created.get(config.VOXBUS_LLM_ENGINE)!,
  };
}
