import { enginesFileVariable } from "@voxbus/engines";
import { callsVariable, waitingVariable } from "@voxbus/pools";
import { apiUrl, ConfigError, turnWaitConfig } from "@voxbus/subscriber";
import { z } from "zod";

function count(least: number, most: number) {
  return z.coerce.number().int().min(least).max(most);
}

/** The environment variables of tts. */
export const ttsConfig = {
  VOXBUS_TTS_ENGINE: z
    .enum(["embedded", "espeak", "openai"])
    .default("embedded")
    .describe("synthesizer: embedded is English only, espeak is the espeak-ng program, openai is an HTTP endpoint"),
  VOXBUS_TTS_URL: apiUrl.optional().describe("base URL of the openai engine, as in http://localhost:8880/v1"),
  VOXBUS_TTS_MODEL: z.string().default("tts-1").describe("model of the openai engine"),
  VOXBUS_TTS_KEY: z.string().optional().describe("API key of the openai engine; most local servers need none"),
  VOXBUS_TTS_VOICE: z
    .string()
    .optional()
    .describe("voice of the chosen engine for devices whose profile names none (default: slt, en-us or alloy)"),
  VOXBUS_TTS_FORMAT: z
    .enum(["wav", "pcm", "opus"])
    .optional()
    .describe(
      "sound that the openai engine asks for (default: pcm with VOXBUS_TTS_SAMPLE_RATE, otherwise wav); opus is not encoded again",
    ),
  VOXBUS_TTS_SAMPLE_RATE: count(8000, 48_000)
    .optional()
    .describe("sample rate (Hz) of raw PCM from the openai engine; a WAV names its own"),
  VOXBUS_ENGINES_FILE: enginesFileVariable("tts"),
  VOXBUS_TTS_FIRST_SOUND_MS: count(100, 120_000)
    .default(10_000)
    .describe("longest wait for the first sound of the openai engine, ms; then the next engine speaks"),
  VOXBUS_TTS_NEXT_SOUND_MS: count(100, 120_000)
    .default(10_000)
    .describe("longest time between two pieces of its sound, ms"),
  VOXBUS_TTS_REQUESTS: count(1, 1000)
    .default(15)
    .describe("requests to the openai engine at the same time in this process"),
  VOXBUS_TTS_ENGINE_THREADS: count(1, 64)
    .optional()
    .describe(
      "most threads of the embedded engine, about 60 MB each, and most processes of espeak-ng at the same time (default: number of cores)",
    ),
  VOXBUS_TTS_WAITING: waitingVariable("pieces of text for each engine"),
  VOXBUS_TTS_PATIENCE_MS: count(100, 120_000)
    .default(10_000)
    .describe("longest wait of a piece of text for its turn, ms; then the next engine speaks"),
  VOXBUS_TTS_TIMEOUT_MS: count(1000, 600_000)
    .default(60_000)
    .describe("longest time for the whole sound of a piece of text, ms; then a request fails"),
  VOXBUS_TTS_CALLS_PER_MINUTE: callsVariable("VOXBUS_TTS_KEY"),
  VOXBUS_TTS_ESPEAK_MS: count(100, 120_000).default(20_000).describe("ms that espeak-ng may take for a piece of text"),
  VOXBUS_TTS_CACHE_MB: count(0, 4096)
    .default(16)
    .describe("memory for the sound of sentences that the embedded engine or espeak spoke, MB; 0 keeps none"),
  VOXBUS_TTS_THREADS: count(1, 64)
    .optional()
    .describe("most threads that encode Opus; one starts, others when packets are late (default: number of cores)"),
  VOXBUS_TTS_MAX_LOAD: z.coerce
    .number()
    .min(0.05)
    .max(1)
    .default(0.85)
    .describe("share of the encoder's threads that replies may need together; beyond: a reply waits for its place"),
  VOXBUS_TTS_REPLIES: count(1, 10_000)
    .optional()
    .describe("replies that this process speaks at the same time, where a synthesizer allows fewer than the encoder"),
  VOXBUS_TTS_REPLIES_WAITING: waitingVariable("replies")
    .refine((value) => !/^0+,|,0+,/.test(value), "expected at least 1 of high and of normal priority")
    .describe(
      "replies (high) and announcements (normal) that may wait for their place; others wait in the stream. None has low priority yet",
    ),
  // A claim is held until its reply was played, so there are far more claims than syntheses.
  VOXBUS_TTS_CLAIMS: count(1, 10_000)
    .default(1000)
    .describe(
      "replies that this process holds until they were played, a few hundred KB each; others wait in the stream",
    ),
  ...turnWaitConfig,
  VOXBUS_DIALOGUE_TURN_MS: count(1000, 600_000)
    .default(120_000)
    .describe("longest time for a whole answer in dialogue, ms; tts waits as long for the next sentence"),
};

/** The configuration of tts. */
export type TtsConfig = z.infer<z.ZodObject<typeof ttsConfig>>;

/** Throws ConfigError if raw sound is asked for whose rate is unknown. */
export function checkFormat({ VOXBUS_TTS_FORMAT: format, VOXBUS_TTS_SAMPLE_RATE: rate }: TtsConfig): void {
  if (format === "pcm" && rate === undefined)
    throw new ConfigError(["VOXBUS_TTS_FORMAT: pcm does not name its rate: set VOXBUS_TTS_SAMPLE_RATE (Hz)"]);
}
