import { apiUrl } from "@voxbus/subscriber";
import { z } from "zod";

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** The variables of dialogue; `--help` prints them. */
export const dialogueConfig = {
  VOXBUS_LLM_ENGINE: z
    .enum(["embedded", "openai"])
    .default("embedded")
    .describe("language model: embedded knows a short list of phrases, openai is any chat completions endpoint"),
  VOXBUS_LLM_URL: apiUrl
    .optional()
    .describe("base URL of the openai engine, such as http://localhost:11434/v1; unset: OpenAI's own"),
  VOXBUS_LLM_MODEL: z.string().default("gpt-4o-mini").describe("model of the openai engine"),
  VOXBUS_LLM_KEY: z.string().optional().describe("key of the openai engine; most local servers need none"),
  VOXBUS_LLM_FIRST_TOKEN_MS: count(100, 120_000)
    .default(10_000)
    .describe("longest wait for the model's first token, ms"),
  VOXBUS_LLM_NEXT_TOKEN_MS: count(100, 120_000).default(10_000).describe("longest time between two tokens, ms"),
  VOXBUS_LLM_TOOL_ROUNDS: count(0, 20).default(4).describe("how many times the model may call tools in one turn"),
  VOXBUS_DIALOGUE_TURN_MS: count(1000, 600_000).default(120_000).describe("longest time for a whole answer, ms"),
  VOXBUS_DIALOGUE_TOOL_MS: count(100, 120_000).default(30_000).describe("longest wait for a device's tool call, ms"),
  VOXBUS_DIALOGUE_HISTORY_TOKENS: count(0, 100_000)
    .default(2000)
    .describe("estimated tokens of earlier turns that the model is given"),
  VOXBUS_DIALOGUE_TURNS: count(1, 10_000).default(200).describe("turns that this process answers at the same time"),
};

/** The parsed configuration of dialogue. */
export type DialogueConfig = z.infer<z.ZodObject<typeof dialogueConfig>>;
