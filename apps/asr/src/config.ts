import { availableParallelism } from "node:os";
import { enginesFileVariable } from "@voxbus/engines";
import { callsVariable, waitingVariable } from "@voxbus/pools";
import { apiUrl, turnWaitConfig } from "@voxbus/subscriber";
import { z } from "zod";

function count(least: number, most: number) {
  return z.coerce.number().int().min(least).max(most);
}

/** The environment variables of asr. */
export const asrConfig = {
  VOXBUS_ASR_ENGINE: z
    .enum(["embedded", "openai"])
    .default("embedded")
    .describe("recognizer: embedded knows the sentences of the built-in assistant, openai is an HTTP endpoint"),
  VOXBUS_ASR_URL: apiUrl.optional().describe("base URL of the openai engine, as in http://localhost:8000/v1"),
  VOXBUS_ASR_MODEL: z.string().default("whisper-1").describe("model of the openai engine"),
  VOXBUS_ASR_KEY: z.string().optional().describe("API key of the openai engine; most local servers need none"),
  VOXBUS_ENGINES_FILE: enginesFileVariable("asr"),
  VOXBUS_ASR_TIMEOUT_MS: count(100, 60_000)
    .default(10_000)
    .describe("ms after which a request to the openai engine fails"),
  VOXBUS_ASR_TRANSCRIPT_MS: count(1000, 300_000)
    .default(60_000)
    .describe("ms from the end of an utterance to its transcript, in which it may wait for others; then it failed"),
  VOXBUS_ASR_REQUESTS: count(1, 1000)
    .default(20)
    .describe("requests to the openai engine at the same time in this process"),
  VOXBUS_ASR_WAITING: waitingVariable("requests to the openai engine"),
  VOXBUS_ASR_CALLS_PER_MINUTE: callsVariable("VOXBUS_ASR_KEY"),
  VOXBUS_ASR_THREADS: count(1, 64)
    .optional()
    .describe(
      "most recognizer threads of the embedded engine, about 30 MB each; one starts, others when as many utterances are heard at the same time (default: number of cores)",
    ),
  VOXBUS_ASR_DECODERS: count(1, 100)
    .default(12)
    .describe("utterances at the same time in a recognizer thread, 11 MB each"),
  VOXBUS_ASR_LISTENS: count(1, 100_000).default(4000).describe("listens at the same time in this process"),
  VOXBUS_ASR_FRONT_END_THREADS: count(1, 64)
    .optional()
    .describe(
      "most threads of the audio front end, which decode and detect voice; one starts, others when packets are late or listens are many (default: number of cores)",
    ),
  VOXBUS_ASR_END_OF_SPEECH_MS: count(200, 3000).default(600).describe("ms of silence after which an utterance ends"),
  VOXBUS_ASR_IDLE_MS: count(200, 60_000)
    .default(3000)
    .describe("ms without a packet after which an utterance ends, as of devices that send nothing while it is silent"),
  VOXBUS_ASR_MANUAL_IDLE_MS: count(200, 120_000)
    .default(10_000)
    .describe("the same while the button is held: then the message of its release is lost"),
  VOXBUS_TURN_DEADLINE_MS: turnWaitConfig.VOXBUS_TURN_DEADLINE_MS,
  VOXBUS_ASR_MAX_UTTERANCE_MS: count(1000, 30_000).default(30_000).describe("ms after which an utterance is cut"),
};

/** The configuration of asr. */
export type AsrConfig = z.infer<z.ZodObject<typeof asrConfig>>;

/** Gives the most threads of the embedded engine and of the audio front end. */
export function countThreads(config: AsrConfig): { readonly recognizer: number; readonly frontEnd: number } {
  const cores = availableParallelism();
  return {
    recognizer: config.VOXBUS_ASR_THREADS ?? cores,
    frontEnd: config.VOXBUS_ASR_FRONT_END_THREADS ?? cores,
  };
}
