import { z } from "zod";
import { engineName } from "./engines/registry.ts";

function count(least: number, most: number) {
  return z.coerce.number().int().min(least).max(most);
}

/** The variables of asr; `--help` prints them. */
export const asrConfig = {
  VOXBUS_ASR_ENGINE: engineName,
  VOXBUS_ASR_URL: z.url().optional().describe("base URL of the openai engine, as in http://localhost:8000/v1"),
  VOXBUS_ASR_MODEL: z.string().default("whisper-1").describe("model of the openai engine"),
  VOXBUS_ASR_KEY: z.string().optional().describe("key of the openai engine; most local servers need none"),
  VOXBUS_ASR_TIMEOUT_MS: count(100, 60_000).default(10_000).describe("ms that the openai engine may take"),
  VOXBUS_ASR_REQUESTS: count(1, 1000).default(16).describe("requests to the openai engine at once"),
  VOXBUS_ASR_THREADS: count(1, 64).default(2).describe("recogniser threads of the embedded engine"),
  VOXBUS_ASR_DECODERS: count(1, 100).default(12).describe("utterances at once in a recogniser thread, 11 MB each"),
  VOXBUS_ASR_LISTENS: count(1, 100_000).default(4000).describe("devices listened to at once by this process"),
  VOXBUS_ASR_LISTENING_THREADS: count(1, 64).default(1).describe("threads that decode and detect voice"),
  VOXBUS_ASR_END_OF_SPEECH_MS: count(200, 3000).default(600).describe("ms of silence after which speech is over"),
  VOXBUS_ASR_MAX_UTTERANCE_MS: count(1000, 30_000).default(30_000).describe("ms after which speech is cut"),
};

/** The configuration of asr as it was read. */
export type AsrConfig = z.infer<z.ZodObject<typeof asrConfig>>;
