import { intents as defaultIntents, matchIntent, modelHint, type Answer, type Intent } from "@voxbus/intents";
import { apologize } from "../apologies.ts";
import { ToolError, type AnswerRequest, type Delta, type LlmEngine } from "./engine.ts";
import { startModelSpan, traceTool } from "./model-span.ts";

/** Replacements for the built-in table and clock. */
export interface EmbeddedOptions {
  readonly intents?: readonly Intent[];
  readonly now?: () => Date;
}

/**
 * Creates the assistant that needs no model: it answers from the table of intents. It repeats text outside the table, and
 * explains once per dialogue how to connect a model. It answers unknown words with a hint to "help".
 */
export function createEmbeddedEngine({
  intents = defaultIntents,
  now = () => new Date(),
}: EmbeddedOptions = {}): LlmEngine {
  const answer = async (request: AnswerRequest, signal: AbortSignal): Promise<Answer> => {
    if (request.text === "") {
      return { text: `${apologize("unrecognized", "en")} Say help to hear what I know.`, emotion: "confused" };
    }
    const match = matchIntent(intents, request.text);
    if (match === undefined) return repeat(request);
    const { tools } = request.device;
    const { list, call } = tools;
    const result = await match.intent.answer(
      {
        now: now(),
        timeZone: request.profile.timeZone,
        locale: request.language,
        slots: match.slots,
        tools: list.map((tool) => tool.name),
        callTool: list.length === 0 ? undefined : (name, ...rest) => traceTool(name, () => call(name, ...rest)),
      },
      signal,
    );
    return typeof result === "string" ? { text: result } : result;
  };

  return {
    name: "embedded",
    language: "en",
    async *respond(request, signal): AsyncGenerator<Delta> {
      if (signal.aborted) return;
      const { text, emotion } = await traceAnswer(() => answer(request, signal)).catch((error: unknown): Answer => {
        if (signal.aborted) return { text: "" };
        if (error instanceof ToolError) return { text: "I am sorry, the device did not do that.", emotion: "sad" };
        throw error;
      });
      if (signal.aborted) return;
      const rest = skipSpoken(text, request.spoken);
      if (rest === "") return;
      if (emotion !== undefined) yield { type: "emotion", emotion };
      yield { type: "text", text: rest };
    },
  };
}

/** Repeats text outside the table, with the model hint unless the dialogue contains it already. */
function repeat({ text, history }: AnswerRequest): Answer {
  const told = history.some((message) => message.role === "assistant" && message.text.includes(modelHint));
  const repeated = /\p{Script=Han}/u.test(text) ? `你说的是：${text}。` : `You said: ${endSentence(text)}`;
  return { text: told ? repeated : `${repeated} ${modelHint}`, emotion: "thinking" };
}

async function traceAnswer(answer: () => Promise<Answer>): Promise<Answer> {
  const span = startModelSpan({ provider: "voxbus", model: "embedded" });
  try {
    const given = await answer();
    span.token();
    span.end();
    return given;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

const endSentence = (text: string) => (/[.!?…]$/u.test(text) ? text : `${text}.`);

/**
 * Gives the part of an answer that comes after `spoken`; white space does not matter. Gives nothing if the answer begins
 * differently, such as another joke.
 */
function skipSpoken(text: string, spoken: string): string {
  const letters = spoken.replaceAll(/\s+/g, "");
  let at = 0;
  for (let i = 0; i < letters.length; at += 1) {
    const char = text[at];
    if (char === undefined || (!/\s/.test(char) && char !== letters[i])) return "";
    if (!/\s/.test(char)) i += 1;
  }
  return text.slice(at).trim();
}
