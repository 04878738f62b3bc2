import { z } from "zod";

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** The variables of dialogue; `--help` prints them. */
export const dialogueConfig = {
  VOXBUS_LLM_ENGINE: z
    .enum(["embedded", "openai"])
    .default("embedded")
    .describe("who answers: embedded knows a short list of phrases, openai is any chat completions endpoint"),
  VOXBUS_LLM_URL: z
    .url()
    .optional()
    .describe("base URL of the openai engine, as in http://localhost:11434/v1; unset: OpenAI's own"),
  VOXBUS_LLM_MODEL: z.string().default("gpt-4o-mini").describe("model of the openai engine"),
  VOXBUS_LLM_KEY: z.string().optional().describe("key of the openai engine; most local servers need none"),
  VOXBUS_LLM_FIRST_TOKEN_MS: count(100, 120_000).default(10_000).describe("ms until the model's first token"),
  VOXBUS_LLM_NEXT_TOKEN_MS: count(100, 120_000).default(10_000).describe("ms between two tokens of the model"),
  VOXBUS_LLM_TOOL_ROUNDS: count(0, 20).default(4).describe("how often the model may call tools in one turn"),
  VOXBUS_DIALOGUE_TURN_MS: count(1000, 600_000).default(120_000).describe("ms that a whole answer may take"),
  VOXBUS_DIALOGUE_TOOL_MS: count(100, 120_000).default(30_000).describe("ms that a device may take for a tool call"),
  VOXBUS_DIALOGUE_TURNS: count(1, 10_000).default(200).describe("turns answered at once by this process"),
};

/** The configuration of dialogue as it was read. */
export type DialogueConfig = z.infer<z.ZodObject<typeof dialogueConfig>>;
