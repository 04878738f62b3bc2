import type { Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { AsrConfig } from "../config.ts";
import type { AsrEngine } from "./engine.ts";
import { engines } from "./registry.ts";

/** Every engine, and the choice among them. */
export interface EngineChoice {
  readonly engines: readonly AsrEngine[];
  /** Gives the engine for a profile: the profile's own, otherwise the configured one. */
  engineOf(profile: Pick<Profile, "engines">): AsrEngine;
}

/** Creates every engine. */
export async function createEngineChoice(config: AsrConfig, log: Pick<Log, "warn">): Promise<EngineChoice> {
  const created = new Map(
    await Promise.all(
      Object.entries(engines).map(async ([name, create]) => [name, await create(config, log)] as const),
    ),
  );
  return {
    engines: [...created.values()],
    engineOf: (profile) => created.get(profile.engines.asr ?? "") ?? created.get(config.VOXBUS_ASR_ENGINE)!,
  };
}
