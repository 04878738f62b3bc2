import type { Log } from "@voxbus/subscriber";
import type { TtsConfig } from "../config.ts";
import type { TtsEngine } from "./engine.ts";
import { engines } from "./registry.ts";

/** The engines of one process. */
export interface PreferredEngines {
  /** In order of preference: the configured one, the embedded one, then espeak-ng where it is installed. */
  readonly engines: readonly TtsEngine[];
  /** The embedded one, which is always there. */
  readonly fallback: TtsEngine;
}

/** Creates the engines. Throws TtsError when the configured one is not available. */
export async function createPreferredEngines(config: TtsConfig, log: Log): Promise<PreferredEngines> {
  const chosen = config.VOXBUS_TTS_ENGINE;
  const first = await engines[chosen](config, log);
  const fallback = chosen === "embedded" ? first : await engines.embedded(config, log);
  const preferred = new Set([first, fallback]);
  if (chosen !== "espeak") {
    try {
      preferred.add(await engines.espeak(config, log));
    } catch (error) {
      log.info({ reason: error instanceof Error ? error.message : error }, "espeak-ng not found, languages missing");
    }
  }
  return { engines: [...preferred], fallback };
}
