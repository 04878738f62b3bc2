import type { Profile } from "@voxbus/protocol";
import type { DialogueConfig } from "../config.ts";
import type { LlmEngine } from "./engine.ts";
import { engines, type EngineReports } from "./registry.ts";

/** Creates every engine, and gives the one for a profile: the profile's own, otherwise the configured one. */
export async function createEngineChoice(
  config: DialogueConfig,
  reports: EngineReports,
): Promise<(profile: Profile) => LlmEngine> {
  const created = new Map(
    await Promise.all(
      Object.entries(engines).map(async ([name, create]) => [name, await create(config, reports)] as const),
    ),
  );
  return (profile) => created.get(profile.engines.llm ?? "") ?? created.get(config.VOXBUS_LLM_ENGINE)!;
}
