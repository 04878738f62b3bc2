import type { Log } from "@voxbus/subscriber";
import type { TtsConfig } from "../config.ts";
import type { TtsEngine } from "./engine.ts";
import { createEngine, nameUsual } from "./registry.ts";

/** The engines of one process. */
export interface PreferredEngines {
  /** In order of preference: the usual ones, the embedded one, then espeak-ng where it is installed. */
  readonly engines: readonly TtsEngine[];
  /** The others, for profiles that name them. */
  readonly others?: readonly TtsEngine[];
  /** The embedded one, which is always there. */
  readonly fallback: TtsEngine;
}

/** Creates the engines. Throws TtsError or ConfigError when a usual one, or one of the file, is not available. */
export async function createPreferredEngines(config: TtsConfig, log: Log): Promise<PreferredEngines> {
  const usual = nameUsual(config);
  const named = (config.VOXBUS_ENGINES_FILE?.entries ?? []).map(({ name }) => name);
  const created = new Map<string, TtsEngine>();
  for (const name of new Set([...usual, "embedded", config.VOXBUS_TTS_ENGINE, ...named]))
    created.set(name, await createEngine(name, config, log));
  if (!created.has("espeak")) {
    try {
      created.set("espeak", await createEngine("espeak", config, log));
    } catch (error) {
      log.info({ reason: error instanceof Error ? error.message : error }, "espeak-ng not found, languages missing");
    }
  }
  const order = [...new Set([...usual, "embedded", "espeak"])];
  const preferred = order.flatMap((name) => created.get(name) ?? []);
  return {
    engines: preferred,
    others: [...created.values()].filter((engine) => !preferred.includes(engine)),
    fallback: created.get("embedded")!,
  };
}
