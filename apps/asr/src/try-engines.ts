import { tryEngine, type EngineTrial, type Log } from "@voxbus/subscriber";
import type { AsrConfig } from "./config.ts";
import { createEngine, nameUsual } from "./engines/registry.ts";
import { makeSound, recognize } from "./warm-up.ts";

/** Lets each of the usual engines recognize a made-up sound, and measures the time to its transcript. */
export async function tryEngines(config: AsrConfig, log: Log, signal: AbortSignal): Promise<readonly EngineTrial[]> {
  const trials = nameUsual(config).map((name) =>
    tryEngine(
      name,
      () => createEngine(name, config, log),
      (engine) => recognize(engine, makeSound(), signal),
    ),
  );
  return Promise.all(trials);
}
