import { tracingIsOn } from "@voxbus/bus";
import OpenAI, { BadRequestError, UnprocessableEntityError } from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { apologiseForHearing } from "../apologies.ts";
import { ModelTimeoutError, ToolError, type Delta, type LlmEngine, type Tool, type Turn } from "./engine.ts";
import { nameFunctions } from "./tool-names.ts";
import { startModelSpan, traceTool } from "./model-span.ts";

/** How a model is reached, and how long it may take. */
export type OpenaiOptions = {
  /** The base URL that ends in /v1; unset: OpenAI's own. */
  readonly url?: string;
  readonly model: string;
  /** Local servers need none. */
  readonly key?: string;
  /** ms until the first token of each request. */
  readonly firstTokenMs: number;
  /** ms between two tokens. */
  readonly nextTokenMs: number;
  /** How often a turn may go back to the model with the results of its tool calls. */
  readonly rounds: number;
};

/** Any model behind an OpenAI-compatible chat completions endpoint: OpenAI, Ollama, vLLM, DeepSeek, Groq and the like. */
export function createOpenaiEngine(options: OpenaiOptions): LlmEngine {
  // The client refuses to be made without a key, and would try again on its own while the device waits.
  const client = new OpenAI({ baseURL: options.url, apiKey: options.key ?? "none", maxRetries: 0 });
  let tellsUsage = true;

  /** A trace wants to know how many tokens it took; a server that refuses the question is not asked again. */
  const ask: Ask = async (request, how) => {
    if (!tracingIsOn() || !tellsUsage) return client.chat.completions.create(request, how);
    try {
      return await client.chat.completions.create({ ...request, stream_options: { include_usage: true } }, how);
    } catch (error) {
      if (!(error instanceof BadRequestError || error instanceof UnprocessableEntityError)) throw error;
      tellsUsage = false;
      return client.chat.completions.create(request, how);
    }
  };

  return {
    name: "openai",
    async *respond(turn, signal): AsyncGenerator<Delta> {
      if (signal.aborted) return;
      if (turn.text === "") {
        if (turn.said !== "") return;
        yield { type: "emotion", emotion: "confused" };
        yield { type: "text", text: apologiseForHearing(turn.reason, turn.language) };
        return;
      }
      const functions = nameFunctions(turn.tools.list);
      const messages = createMessages(turn);
      let given = turn.said !== "";
      for (let round = 0; round <= options.rounds; round += 1) {
        // In the last round there are no tools, so that it ends in words.
        const tools = round < options.rounds && functions.tools.length > 0 ? functions.tools : undefined;
        const calls: PendingCall[] = [];
        let text = "";
        const request = { model: options.model, messages, tools, stream: true } as const;
        for await (const piece of stream(ask, request, options, signal)) {
          if (piece.text !== "") {
            text += piece.text;
            given ||= piece.text.trim() !== "";
            yield { type: "text", text: piece.text };
          }
          for (const part of piece.calls) addCallPart(calls, part);
        }
        if (signal.aborted) return;
        if (calls.length === 0) {
          if (!given) throw new Error(`the model "${options.model}" gave an empty answer`);
          return;
        }
        messages.push({
          role: "assistant",
          content: text === "" ? null : text,
          tool_calls: calls.map(({ id, name, args }) => ({
            id,
            type: "function" as const,
            function: { name, arguments: args },
          })),
        });
        for (const { id, name, args } of calls) {
          const content = await callFunction(turn, functions.toolOf.get(name), name, args, signal);
          if (signal.aborted) return;
          messages.push({ role: "tool", tool_call_id: id, content });
        }
        // What follows the calls is a sentence of its own.
        if (text !== "" && !/\s$/.test(text)) yield { type: "text", text: "\n" };
      }
    },
  };
}

type CallPart = { readonly index?: number; readonly id?: string; readonly name?: string; readonly args?: string };
type PendingCall = { readonly index: number | undefined; readonly id: string; name: string; args: string };

type Request = OpenAI.ChatCompletionCreateParamsStreaming;
type Ask = (request: Request, how: OpenAI.RequestOptions) => Promise<AsyncIterable<OpenAI.ChatCompletionChunk>>;

async function* stream(
  ask: Ask,
  request: Request,
  { firstTokenMs, nextTokenMs, model }: OpenaiOptions,
  signal: AbortSignal,
): AsyncGenerator<{ text: string; calls: readonly CallPart[] }> {
  const patience = new AbortController();
  const expire = () => patience.abort(new ModelTimeoutError(`the model "${model}" did not answer in time`));
  let timer = setTimeout(expire, firstTokenMs);
  const span = startModelSpan({ provider: "openai", model });
  let failure: unknown;
  try {
    const chunks = await ask(request, {
      signal: AbortSignal.any([signal, patience.signal]),
      timeout: firstTokenMs + 1000,
    });
    for await (const chunk of chunks) {
      clearTimeout(timer);
      timer = setTimeout(expire, nextTokenMs);
      const delta = chunk.choices[0]?.delta;
      const calls = (delta?.tool_calls ?? []).map(({ index, id, function: called }) => {
        return { index, id, name: called?.name, args: called?.arguments };
      });
      if (delta?.content) span.token();
      if (chunk.usage) span.usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens);
      yield { text: delta?.content ?? "", calls };
      if (signal.aborted) return;
    }
    // The client ends quietly when its signal aborts.
    patience.signal.throwIfAborted();
  } catch (error) {
    if (signal.aborted) return;
    failure = error;
    patience.signal.throwIfAborted();
    throw new Error(`the model "${model}" failed`, { cause: error });
  } finally {
    clearTimeout(timer);
    span.end(failure);
  }
}

/** Some servers leave the index out, or the id, of a call that comes in one piece. */
function addCallPart(calls: PendingCall[], { index, id, name, args }: CallPart): void {
  let call = index === undefined && id === undefined ? calls.at(-1) : calls.find((call) => call.index === index);
  if (call === undefined || (index === undefined && id !== undefined)) {
    call = { index, id: id ?? `call_${calls.length}`, name: "", args: "" };
    calls.push(call);
  }
  call.name += name ?? "";
  call.args += args ?? "";
}

async function callFunction(
  turn: Turn,
  tool: Tool | undefined,
  name: string,
  args: string,
  signal: AbortSignal,
): Promise<string> {
  if (tool === undefined) return `Error: there is no function "${name}".`;
  try {
    return await traceTool(tool.name, () => turn.tools.call(tool.name, readArguments(args), signal));
  } catch (error) {
    if (error instanceof ToolError || error instanceof SyntaxError) return `Error: ${error.message}`;
    if (signal.aborted) return "";
    throw error;
  }
}

function readArguments(args: string): Record<string, unknown> {
  const value: unknown = args.trim() === "" ? {} : JSON.parse(args);
  if (typeof value !== "object" || value === null) throw new SyntaxError("the arguments are not an object");
  return value as Record<string, unknown>;
}

const defaultPrompt =
  "You are a voice assistant. Your answers are spoken aloud: answer in a few short sentences of plain text, without " +
  "lists, tables, links or code, in the language of the user. You may begin with one emoji that shows your mood.";

function createMessages({ profile, history, text, said }: Turn): ChatCompletionMessageParam[] {
  const now = new Date().toLocaleString("en-US", { timeZone: profile.timeZone, dateStyle: "full", timeStyle: "short" });
  const prompt = `${profile.prompt ?? defaultPrompt}\n\nIt is ${now} (${profile.timeZone}).`;
  const messages: ChatCompletionMessageParam[] = [
    { role: "system", content: prompt },
    ...history.map(({ role, text }) => ({ role, content: text })),
    { role: "user", content: text },
  ];
  if (said === "") return messages;
  const goOn = "Your answer was cut off. Go on exactly where it stopped, and repeat nothing of it.";
  return [...messages, { role: "assistant", content: said }, { role: "user", content: goOn }];
}
