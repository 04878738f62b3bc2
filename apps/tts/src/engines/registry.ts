import { availableParallelism } from "node:os";
import type { Log } from "@voxbus/subscriber";
import type { TtsConfig } from "../config.ts";
import { createEmbeddedEngine } from "./embedded.ts";
import { TtsError, type TtsEngine } from "./engine.ts";
import { createEspeakEngine, findEspeak } from "./espeak.ts";
import { createOpenAiEngine } from "./openai.ts";

type EngineName = TtsConfig["VOXBUS_TTS_ENGINE"];

const cores = Math.min(4, availableParallelism());

/** Creates an engine from the configuration, by its name. Throws TtsError when it is not installed or has no such voice. */
export const engines: Readonly<Record<EngineName, (config: TtsConfig, log: Pick<Log, "warn">) => Promise<TtsEngine>>> =
  {
    embedded: (config, log) =>
      createEmbeddedEngine({
        // One thread is enough for a stand-in.
        threads: config.VOXBUS_TTS_ENGINE === "embedded" ? cores : 1,
        standIn: config.VOXBUS_TTS_ENGINE !== "embedded",
        voice: voiceOf(config, "embedded"),
        log,
      }),
    espeak: async (config) => {
      const program = await findEspeak();
      if (program === undefined) throw new TtsError("unavailable", "there is no espeak-ng on PATH");
      const timeoutMs = config.VOXBUS_TTS_ESPEAK_MS;
      return createEspeakEngine({ program, concurrency: cores, voice: voiceOf(config, "espeak"), timeoutMs });
    },
    openai: async (config) =>
      createOpenAiEngine({
        url: config.VOXBUS_TTS_URL,
        key: config.VOXBUS_TTS_KEY,
        model: config.VOXBUS_TTS_MODEL,
        voice: voiceOf(config, "openai") ?? "alloy",
        sampleRate: config.VOXBUS_TTS_SAMPLE_RATE,
        firstSoundMs: config.VOXBUS_TTS_FIRST_SOUND_MS,
        nextSoundMs: config.VOXBUS_TTS_NEXT_SOUND_MS,
      }),
  };

/** The configured voice, which is one of the chosen engine only. */
function voiceOf(config: TtsConfig, engine: EngineName): string | undefined {
  return config.VOXBUS_TTS_ENGINE === engine ? config.VOXBUS_TTS_VOICE : undefined;
}
