import type { BusLog } from "@voxbus/bus";
import { availableParallelism } from "node:os";
import type { TtsConfig } from "../config.ts";
import { createEmbeddedEngine } from "./embedded.ts";
import { createEspeakEngine, findEspeak } from "./espeak.ts";
import { createOpenAiEngine } from "./openai.ts";
import { TtsError, type TtsEngine } from "./engine.ts";

// Less than a gateway waits in mid-reply (docs/bus.md, 5 s), so that the next engine is heard before it gives up.
const openAiTimeoutMs = 3500;

/**
 * The engines in order of preference: the configured one, then the embedded one, which is always there, and espeak-ng
 * where it is installed (it adds languages). Throws TtsError when the configured one cannot be had.
 */
export const createEngines = async (
  config: TtsConfig,
  log: BusLog,
): Promise<{ readonly engines: readonly TtsEngine[]; readonly fallback: TtsEngine }> => {
  const { VOXBUS_TTS_ENGINE: chosen, VOXBUS_TTS_VOICE: voice } = config;
  const own = (name: TtsConfig["VOXBUS_TTS_ENGINE"]) => (name === chosen ? voice : undefined);
  const cores = Math.min(4, availableParallelism());
  const findOther = async (): Promise<TtsEngine | undefined> => {
    const program = await findEspeak();
    if (!program) throw new TtsError("unavailable", "there is no espeak-ng on PATH");
    return createEspeakEngine({ program, concurrency: cores, voice: own("espeak") });
  };
  const espeak = await findOther().catch((err: unknown) => {
    if (chosen === "espeak") throw err;
    log.info({ why: err instanceof Error ? err.message : err }, "espeak-ng does not add its languages");
    return undefined;
  });
  // As a stand-in one thread is enough.
  const fallback = await createEmbeddedEngine({ threads: chosen === "embedded" ? cores : 1, voice: own("embedded") });
  const others = espeak ? [espeak] : [];
  if (chosen === "embedded") return { engines: [fallback, ...others], fallback };
  if (chosen === "espeak") return { engines: [...others, fallback], fallback };
  const openai = createOpenAiEngine({
    url: config.VOXBUS_TTS_URL,
    key: config.VOXBUS_TTS_KEY,
    model: config.VOXBUS_TTS_MODEL,
    voice: voice ?? "alloy",
    sampleRate: config.VOXBUS_TTS_SAMPLE_RATE,
    timeoutMs: openAiTimeoutMs,
  });
  return { engines: [openai, fallback, ...others], fallback };
};
