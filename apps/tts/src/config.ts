import { z } from "zod";
import { engineName } from "./engines/registry.ts";

function count(least: number, most: number) {
  return z.coerce.number().int().min(least).max(most);
}

/** The variables of tts; `--help` prints them. */
export const ttsConfig = {
  VOXBUS_TTS_ENGINE: engineName,
  VOXBUS_TTS_URL: z.url().optional().describe("base URL of the openai engine, as in http://localhost:8880/v1"),
  VOXBUS_TTS_MODEL: z.string().default("tts-1").describe("model of the openai engine"),
  VOXBUS_TTS_KEY: z.string().optional().describe("key of the openai engine; most local servers need none"),
  VOXBUS_TTS_VOICE: z
    .string()
    .optional()
    .describe("voice of the chosen engine for devices whose profile names none; unset: slt, en-us or alloy"),
  VOXBUS_TTS_SAMPLE_RATE: count(8000, 48_000)
    .optional()
    .describe("Hz of the raw sound that the openai engine is asked for; unset: WAV is asked for, which says it itself"),
};

/** The configuration of tts as it was read. */
export type TtsConfig = z.infer<z.ZodObject<typeof ttsConfig>>;
