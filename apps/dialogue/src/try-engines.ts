import { tryEngine, type EngineTrial, type Log } from "@voxbus/subscriber";
import type { DialogueConfig } from "./config.ts";
import { createEngine, nameUsual } from "./engines/registry.ts";
import { probeEngine } from "./engines/watch.ts";

const nothing = (): void => undefined;

/** Asks each of the usual engines a question, and measures the time to the first words of its answer. */
export async function tryEngines(
  config: DialogueConfig,
  _log: Log,
  signal: AbortSignal,
): Promise<readonly EngineTrial[]> {
  const reports = { onRefused: nothing, onTaken: nothing };
  const trials = nameUsual(config).map((name) =>
    tryEngine(
      name,
      async () => createEngine(name, config, reports),
      (engine) => probeEngine(engine, signal),
    ),
  );
  return Promise.all(trials);
}
