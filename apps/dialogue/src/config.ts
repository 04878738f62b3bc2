import { checkEntryTimes, enginesFileVariable, extraVariable, textFileVariable } from "@voxbus/engines";
import { callsVariable, readWaiting, waitingVariable } from "@voxbus/pools";
import { apiUrl, checkLimits, ConfigError, flag, httpUrl, turnWaitConfig } from "@voxbus/subscriber";
import { z } from "zod";

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** The same as of a profile, characters. */
const longestPrompt = 16_384;

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
  VOXBUS_LLM_EXTRA: extraVariable("llm")
    .optional()
    .describe('fields for each request to the openai engine, as JSON, such as {"reasoning_effort":"none"}'),
  VOXBUS_LLM_PROMPT: z
    .string()
    .max(longestPrompt)
    .optional()
    .describe("instructions of the model for devices whose profile has none"),
  VOXBUS_LLM_PROMPT_FILE: textFileVariable(longestPrompt).optional().describe("path of a file that holds them"),
  VOXBUS_ENGINES_FILE: enginesFileVariable("llm"),
  VOXBUS_LLM_FIRST_TOKEN_MS: count(100, 120_000)
    .default(10_000)
    .describe("longest wait for the model's first token, ms"),
  VOXBUS_LLM_NEXT_TOKEN_MS: count(100, 120_000).default(10_000).describe("longest time between two tokens, ms"),
  VOXBUS_LLM_TOOL_ROUNDS: count(0, 20).default(4).describe("how many times the model may call tools in one turn"),
  VOXBUS_LLM_IDENTIFY: flag
    .prefault("1")
    .describe("tell the openai endpoint whose turn it answers: device, session and turn"),
  VOXBUS_LLM_REQUESTS: count(1, 1000)
    .default(10)
    .describe("requests to the openai engine at the same time in this process"),
  VOXBUS_LLM_WAITING: waitingVariable("requests to the openai engine"),
  VOXBUS_LLM_PATIENCE_MS: count(100, 120_000)
    .default(30_000)
    .describe(
      "longest wait of a request for its turn, ms; then the turn is shed, or there is an apology after what was said",
    ),
  VOXBUS_LLM_CALLS_PER_MINUTE: callsVariable("VOXBUS_LLM_KEY"),
  VOXBUS_VISION_URL: httpUrl
    .optional()
    .describe("address to which devices with a camera post a picture and a question; unset: no vision"),
  VOXBUS_VISION_TOKEN: z.string().optional().describe("bearer token that devices send with a picture"),
  VOXBUS_DIALOGUE_TURN_MS: count(1000, 600_000).default(120_000).describe("longest time for a whole answer, ms"),
  VOXBUS_DIALOGUE_TOOL_MS: count(100, 120_000)
    .default(30_000)
    .describe("longest wait for a call of a tool, ms; a program may set less for its own"),
  VOXBUS_DIALOGUE_TOOL_CALLS: count(1, 10_000)
    .default(200)
    .describe("calls of programs' tools that this process makes at the same time; one more is refused"),
  VOXBUS_DIALOGUE_CALLS_PER_TOOL: count(1, 10_000).default(20).describe("the same for each tool"),
  VOXBUS_DIALOGUE_TOOL_MOMENT_MS: count(0, 120_000)
    .default(2000)
    .describe('ms of a tool call until a turn without an answer says "One moment please."; 0: never'),
  VOXBUS_DIALOGUE_TOOL_LIST_MS: count(100, 60_000)
    .default(3000)
    .describe("longest wait of a turn for the device's list of tools, ms; then it is answered without them"),
  VOXBUS_DIALOGUE_MOMENT_MS: count(0, 120_000)
    .default(5000)
    .describe('ms until a turn without an answer says "One moment please."; 0: never'),
  VOXBUS_DIALOGUE_HISTORY_TOKENS: count(0, 100_000)
    .default(2000)
    .describe("estimated tokens of earlier turns that the model is given"),
  ...turnWaitConfig,
  VOXBUS_DIALOGUE_TURNS: count(1, 10_000)
    .default(100)
    .describe("turns that this process takes at the same time, heard and typed together; others wait in the stream"),
};

/** The parsed configuration of dialogue. */
export type DialogueConfig = z.infer<z.ZodObject<typeof dialogueConfig>>;

/**
 * Throws ConfigError if a wait within an answer may be longer than the whole answer, if turns are taken that are refused, or
 * if there are two prompts.
 */
export function checkConfig(config: DialogueConfig): void {
  checkWaits(config);
  if (config.VOXBUS_LLM_PROMPT !== undefined && config.VOXBUS_LLM_PROMPT_FILE !== undefined)
    throw new ConfigError(["VOXBUS_LLM_PROMPT, VOXBUS_LLM_PROMPT_FILE: expected one of them, both are set"]);
  checkEntryTimes(config.VOXBUS_ENGINES_FILE, "VOXBUS_DIALOGUE_TURN_MS", config.VOXBUS_DIALOGUE_TURN_MS);
  if (!hasServer(config)) return;
  // One claim more than turns may be held, as transcripts and typed text come by two streams.
  const most = config.VOXBUS_LLM_REQUESTS + readWaiting(config.VOXBUS_LLM_WAITING).high - 1;
  if (config.VOXBUS_DIALOGUE_TURNS <= most) return;
  throw new ConfigError([
    `VOXBUS_DIALOGUE_TURNS: expected at most ${most}, one less than VOXBUS_LLM_REQUESTS and the first count of VOXBUS_LLM_WAITING together, got ${config.VOXBUS_DIALOGUE_TURNS}`,
  ]);
}

/** True if a language model's server is among the engines. */
function hasServer({ VOXBUS_LLM_ENGINE: engine, VOXBUS_ENGINES_FILE: file }: DialogueConfig): boolean {
  return engine === "openai" || (file?.entries ?? []).some(({ kind }) => kind === "openai");
}

function checkWaits(config: DialogueConfig): void {
  const waits = [
    "VOXBUS_DIALOGUE_TOOL_MS",
    "VOXBUS_DIALOGUE_TOOL_LIST_MS",
    "VOXBUS_DIALOGUE_MOMENT_MS",
    "VOXBUS_DIALOGUE_TOOL_MOMENT_MS",
  ] as const;
  const tokens = ["VOXBUS_LLM_FIRST_TOKEN_MS", "VOXBUS_LLM_NEXT_TOKEN_MS", "VOXBUS_LLM_PATIENCE_MS"] as const;
  const inner = hasServer(config) ? [...waits, ...tokens] : waits;
  checkLimits(
    config,
    inner.map((name) => [name, "VOXBUS_DIALOGUE_TURN_MS"] as const),
  );
}
