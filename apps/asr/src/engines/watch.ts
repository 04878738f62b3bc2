import type { EngineHealth } from "@voxbus/engines";
import { recognize } from "../warm-up.ts";
import type { AsrEngine, Recognition } from "./engine.ts";

/** Silence for a probe: half a second at 16 kHz. */
const probeSamples = 8000;

/** Makes an engine that notes the ends of its utterances. One that was discarded is neither. */
export function watchEngine(engine: AsrEngine, health: Pick<EngineHealth, "begin">): AsrEngine {
  return {
    ...engine,
    open(request, signal): Recognition {
      const recognition = engine.open(request, signal);
      return {
        ...recognition,
        async finish() {
          const noted = health.begin();
          try {
            const transcript = await recognition.finish();
            noted.succeeded();
            return transcript;
          } catch (error) {
            if (!signal.aborted) noted.failed(error);
            throw error;
          }
        },
      };
    },
  };
}

/** Asks an engine for the transcript of a moment of silence. */
export async function probeEngine(engine: AsrEngine, signal: AbortSignal): Promise<void> {
  await recognize(engine, new Int16Array(probeSamples), signal);
}
