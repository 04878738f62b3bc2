import { createEngineSet, type EngineHealth, type EngineSet, type EngineSetOptions } from "@voxbus/engines";
import { TtsError, type Speech, type TtsEngine } from "./engine.ts";
import type { PreferredEngines } from "./preference.ts";

/** Watches the ends of syntheses, and gives the same preference among the watched engines. */
export function watchEngines(
  { engines, others = [], fallback }: PreferredEngines,
  options: Pick<EngineSetOptions<TtsEngine>, "log" | "meter" | "coolDown">,
): Required<PreferredEngines> & { readonly set: EngineSet<TtsEngine> } {
  const usual = engines.map(({ name }) => name);
  const set = createEngineSet({
    ...options,
    engines: [...engines, ...others],
    usual,
    watch: watchEngine,
    probe: probeEngine,
  });
  const isUsual = ({ name }: TtsEngine) => usual.includes(name);
  return {
    engines: set.engines.filter(isUsual),
    others: set.engines.filter((engine) => !isUsual(engine)),
    fallback: set.engines.find(({ name }) => name === fallback.name)!,
    set,
  };
}

function watchEngine(engine: TtsEngine, health: Pick<EngineHealth, "begin">): TtsEngine {
  return {
    ...engine,
    async *synthesize(request, signal): AsyncGenerator<Speech> {
      const noted = health.begin();
      try {
        yield* engine.synthesize(request, signal);
        noted.succeeded();
      } catch (error) {
        if (!signal.aborted) noted.failed(error);
        throw error;
      }
    },
  };
}

/** Asks an engine for a word, and leaves at its first sound. Throws if it has none. */
export async function probeEngine(engine: TtsEngine, signal: AbortSignal): Promise<void> {
  for await (const speech of engine.synthesize({ text: "Hello." }, signal)) {
    if ("packets" in speech || speech.samples.length > 0) return;
  }
  throw new TtsError("bad-audio", "the engine made no sound");
}
