import { tryEngine, type EngineTrial, type Log } from "@voxbus/subscriber";
import type { TtsConfig } from "./config.ts";
import { createEngine, nameUsual } from "./engines/registry.ts";
import { probeEngine } from "./engines/watch.ts";

/** Lets each of the usual engines speak, and measures the time to its first sound. */
export async function tryEngines(config: TtsConfig, log: Log, signal: AbortSignal): Promise<readonly EngineTrial[]> {
  const trials = nameUsual(config).map((name) =>
    tryEngine(
      name,
      () => createEngine(name, config, log),
      (engine) => probeEngine(engine, signal),
    ),
  );
  return Promise.all(trials);
}
