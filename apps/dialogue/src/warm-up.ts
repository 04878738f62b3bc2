import { hasServer } from "@voxbus/engines";
import { channels, encodeEnvelope, Profile, type Say } from "@voxbus/protocol";
import { withStandIn } from "@voxbus/subscriber";
import { writeAnswer } from "./answer.ts";
import type { DialogueConfig } from "./config.ts";
import { ToolError, type AnswerRequest, type LlmEngine } from "./engines/engine.ts";
import { engines } from "./engines/registry.ts";

const rounds = 3;
const words = [
  "Hello ",
  "there. ",
  "It is 7:30 ",
  "in the ",
  "morning, ",
  "and it is ",
  "sunny. ",
  "Is there ",
  "more?",
];
const nothing = (): void => undefined;

/**
 * Answers made-up questions as often as it takes to have the code of an answer compiled. A model is not asked: a stand-in
 * answers in its place.
 */
export async function warmUp(config: DialogueConfig, signal: AbortSignal): Promise<void> {
  const reports = { onRefused: nothing, onTaken: nothing };
  if (!hasServer(config.VOXBUS_LLM_ENGINE, config.VOXBUS_ENGINES_FILE))
    return rehearse(engines.embedded(config, reports), signal);
  const chunks = words.map((content) => ({ choices: [{ index: 0, delta: { content } }] }));
  const lines = [...chunks.map((chunk) => JSON.stringify(chunk)), "[DONE]"].map((data) => `data: ${data}\n\n`);
  await withStandIn({ type: "text/event-stream", body: lines.join("") }, async (url) => {
    const given = { ...config, VOXBUS_LLM_URL: url, VOXBUS_LLM_MODEL: "warm-up", VOXBUS_LLM_KEY: undefined };
    await rehearse(engines.openai(given, reports), signal);
  });
}

async function rehearse(engine: LlmEngine, signal: AbortSignal): Promise<void> {
  for (let round = 0; round < rounds && !signal.aborted; round += 1) {
    const write = async (text: string, { emotion, last }: { emotion?: Say["emotion"]; last: boolean }) => {
      const place = { session: "warm-up", origin: 1, reply: "warm-up", attempt: 1, sentence: round };
      encodeEnvelope(channels.say.schema, { ...place, text, emotion, last });
    };
    const options = { write, answerMs: 10_000, onFirstToken: nothing, onEngineRun: nothing };
    await writeAnswer(engine, createRequest(), options, signal);
  }
}

function createRequest(): AnswerRequest {
  const tools = { list: [], call: () => Promise.reject(new ToolError("no tools")) };
  const device = { tools };
  const history = [{ role: "user", text: "Hello.", at: 1 } as const];
  const turn = { device: "warm-up", session: "warm-up", origin: 1, since: performance.now() };
  return { text: "what time is it", language: "en", history, profile: Profile.parse({}), device, turn, spoken: "" };
}
