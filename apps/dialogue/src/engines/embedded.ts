import { intents as defaultIntents, matchIntent, modelHint, type Intent } from "@voxbus/intents";
import { apologiseForHearing } from "../apologies.ts";
import { ToolError, type Delta, type LlmEngine, type Turn } from "./engine.ts";
import { startModelSpan, traceTool } from "./model-span.ts";

/**
 * The assistant that needs no model: the table of intents, and honesty about it. Text outside the table is repeated
 * back, and once per dialogue it says how to connect a model; speech that was rejected gets a hint to "help".
 */
export function createEmbeddedEngine(
  options: { readonly intents?: readonly Intent[]; readonly now?: () => Date } = {},
): LlmEngine {
  const { intents = defaultIntents, now = () => new Date() } = options;

  const answer = async (turn: Turn, signal: AbortSignal): Promise<Answer> => {
    if (turn.text === "") {
      const apology = apologiseForHearing(turn.reason, "en");
      return { text: `${apology} Say help to hear what I know.`, emotion: "confused" };
    }
    const match = matchIntent(intents, turn.text);
    if (match === undefined) {
      const told = turn.history.some((message) => message.role === "assistant" && message.text.includes(modelHint));
      const repeated = /\p{Script=Han}/u.test(turn.text)
        ? `你说的是：${turn.text}。`
        : `You said: ${endSentence(turn.text)}`;
      return { text: told ? repeated : `${repeated} ${modelHint}`, emotion: "thinking" };
    }
    const { list, call } = turn.tools;
    const result = await match.intent.answer(
      {
        now: now(),
        timeZone: turn.profile.timeZone,
        locale: turn.language,
        slots: match.slots,
        features: turn.features,
        tools: list.map((tool) => tool.name),
        callTool: list.length === 0 ? undefined : (name, ...rest) => traceTool(name, () => call(name, ...rest)),
        schedule: (ms, announcement) => turn.reminders.schedule(ms, announcement),
        cancelScheduled: () => turn.reminders.cancel(),
      },
      signal,
    );
    return typeof result === "string" ? { text: result } : result;
  };

  const tracedAnswer: typeof answer = async (turn, signal) => {
    const span = startModelSpan({ provider: "voxbus", model: "embedded" });
    try {
      const given = await answer(turn, signal);
      span.token();
      span.end();
      return given;
    } catch (error) {
      span.end(error);
      throw error;
    }
  };

  return {
    name: "embedded",
    language: "en",
    async *respond(turn, signal): AsyncGenerator<Delta> {
      if (signal.aborted) return;
      const { text, emotion } = await tracedAnswer(turn, signal).catch((error: unknown) => {
        if (signal.aborted) return { text: "" };
        if (error instanceof ToolError)
          return { text: "I am sorry, the device did not do that.", emotion: "sad" } as const;
        throw error;
      });
      if (signal.aborted) return;
      const rest = goOn(text, turn.said);
      if (rest === "") return;
      if (emotion !== undefined) yield { type: "emotion", emotion };
      yield { type: "text", text: rest };
    },
  };
}

type Answer = Awaited<ReturnType<Intent["answer"]>> & object;

const endSentence = (text: string) => (/[.!?…]$/u.test(text) ? text : `${text}.`);

/** What comes after `said`, white space aside; nothing when this answer begins otherwise, as a joke that was drawn anew. */
function goOn(text: string, said: string): string {
  const spoken = said.replaceAll(/\s+/g, "");
  let at = 0;
  for (let i = 0; i < spoken.length; at += 1) {
    const char = text[at];
    if (char === undefined || (!/\s/.test(char) && char !== spoken[i])) return "";
    if (!/\s/.test(char)) i += 1;
  }
  return text.slice(at).trim();
}
