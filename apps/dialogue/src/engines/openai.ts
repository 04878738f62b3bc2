import { tracingIsOn } from "@voxbus/bus";
import { withoutText } from "@voxbus/subscriber";
import OpenAI, { BadRequestError, UnprocessableEntityError } from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { apologizeForHearing } from "../apologies.ts";
import { createThoughtFilter } from "../thoughts.ts";
import { ModelTimeoutError, ToolError, type AnswerRequest, type Delta, type LlmEngine } from "./engine.ts";
import { startModelSpan, traceTool } from "./model-span.ts";
import { createMessages } from "./openai-messages.ts";
import { nameTools, type NamedTools } from "./tool-names.ts";

/** The address of a model, and its limits. */
export interface OpenAiOptions {
  /** The base URL, ending in /v1. Unset: OpenAI's own. */
  readonly url?: string;
  readonly model: string;
  /** Local servers need no key. */
  readonly key?: string;
  /** ms until the first token of each request. */
  readonly firstTokenMs: number;
  /** ms between two tokens. */
  readonly nextTokenMs: number;
  /** How many times in one turn the model may call tools. */
  readonly rounds: number;
}

/** Creates an engine for any OpenAI-compatible chat completions endpoint: OpenAI, Ollama, vLLM, DeepSeek, Groq and others. */
export function createOpenAiEngine(options: OpenAiOptions): LlmEngine {
  const complete = createCompleter(options);
  return {
    name: "openai",
    thoughts: createThoughtFilter(),
    async *respond(request, signal): AsyncGenerator<Delta> {
      if (signal.aborted) return;
      if (request.text !== "") yield* answer(complete, request, options, signal);
      else if (request.spoken === "") {
        yield { type: "emotion", emotion: "confused" };
        yield { type: "text", text: apologizeForHearing(request.reason, request.language) };
      }
    },
  };
}

type Completion = OpenAI.ChatCompletionCreateParamsStreaming;
type Complete = (
  completion: Completion,
  options: OpenAI.RequestOptions,
) => Promise<AsyncIterable<OpenAI.ChatCompletionChunk>>;

/** Asks for the number of tokens while tracing is on, until a server refuses that option. */
function createCompleter({ url, key }: OpenAiOptions): Complete {
  // The client requires a key. It must not retry on its own while the device waits, and its log quotes answers.
  const client = new OpenAI({ baseURL: url, apiKey: key ?? "none", maxRetries: 0, logLevel: "off" });
  let tellsUsage = true;
  return async (completion, options) => {
    if (!tracingIsOn() || !tellsUsage) return client.chat.completions.create(completion, options);
    try {
      return await client.chat.completions.create({ ...completion, stream_options: { include_usage: true } }, options);
    } catch (error) {
      if (!(error instanceof BadRequestError || error instanceof UnprocessableEntityError)) throw error;
      tellsUsage = false;
      return client.chat.completions.create(completion, options);
    }
  };
}

/** Lets the model answer and call tools, for at most `rounds` rounds of calls. */
async function* answer(
  complete: Complete,
  request: AnswerRequest,
  options: OpenAiOptions,
  signal: AbortSignal,
): AsyncGenerator<Delta> {
  const named = nameTools(request.device.tools.list);
  const messages = createMessages(request);
  let spoken = request.spoken !== "";
  for (let round = 0; round <= options.rounds; round += 1) {
    // The last round has no tools, so it ends in words.
    const tools = round < options.rounds && named.tools.length > 0 ? named.tools : undefined;
    const calls: PendingCall[] = [];
    let text = "";
    const completion = { model: options.model, messages, tools, stream: true } as const;
    for await (const piece of streamCompletion(complete, completion, options, signal)) {
      if (piece.text !== "") {
        text += piece.text;
        spoken ||= piece.text.trim() !== "";
        yield { type: "text", text: piece.text };
      }
      for (const part of piece.calls) addCallPart(calls, part);
    }
    if (signal.aborted) return;
    if (calls.length === 0) {
      if (!spoken) throw new Error(`the model "${options.model}" gave an empty answer`);
      return;
    }
    yield { type: "paragraph" };
    messages.push(describeCalls(text, calls));
    for (const call of calls) {
      const content = await callTool(request, named, call, signal);
      if (signal.aborted) return;
      messages.push({ role: "tool", tool_call_id: call.id, content });
    }
  }
}

interface CallPart {
  readonly index?: number;
  readonly id?: string;
  readonly name?: string;
  readonly args?: string;
}

interface PendingCall {
  readonly index: number | undefined;
  readonly id: string;
  name: string;
  args: string;
}

async function* streamCompletion(
  complete: Complete,
  completion: Completion,
  { firstTokenMs, nextTokenMs, model }: OpenAiOptions,
  signal: AbortSignal,
): AsyncGenerator<{ readonly text: string; readonly calls: readonly CallPart[] }> {
  const patience = new AbortController();
  const expire = () => patience.abort(new ModelTimeoutError(`the model "${model}" did not answer in time`));
  let timer = setTimeout(expire, firstTokenMs);
  const span = startModelSpan({ provider: "openai", model });
  let failure: unknown;
  try {
    const chunks = await complete(completion, {
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
    // The client ends without an error when its signal aborts.
    patience.signal.throwIfAborted();
  } catch (error) {
    if (signal.aborted) return;
    failure = error;
    patience.signal.throwIfAborted();
    throw nameProblem(error, model);
  } finally {
    clearTimeout(timer);
    span.end(failure);
  }
}

function nameProblem(error: unknown, model: string): Error {
  return new Error(`the model "${model}" failed`, { cause: withoutText(error) });
}

/** Adds a part to its call. Some servers omit the index or the id of a call that comes in one piece. */
function addCallPart(calls: PendingCall[], { index, id, name, args }: CallPart): void {
  let call = index === undefined && id === undefined ? calls.at(-1) : calls.find((call) => call.index === index);
  if (call === undefined || (index === undefined && id !== undefined)) {
    call = { index, id: id ?? `call_${calls.length}`, name: "", args: "" };
    calls.push(call);
  }
  call.name += name ?? "";
  call.args += args ?? "";
}

function describeCalls(text: string, calls: readonly PendingCall[]): ChatCompletionMessageParam {
  return {
    role: "assistant",
    content: text === "" ? null : text,
    tool_calls: calls.map(({ id, name, args }) => ({ id, type: "function", function: { name, arguments: args } })),
  };
}

/** Resolves with the tool's text, or with an error message for the model to read. */
async function callTool(
  { device }: AnswerRequest,
  { toolOf }: NamedTools,
  { name, args }: PendingCall,
  signal: AbortSignal,
): Promise<string> {
  const tool = toolOf.get(name);
  if (tool === undefined) return `Error: there is no function "${name}".`;
  try {
    return await traceTool(tool.name, () => device.tools.call(tool.name, parseArguments(args), signal));
  } catch (error) {
    if (error instanceof ToolError || error instanceof SyntaxError) return `Error: ${error.message}`;
    if (signal.aborted) return "";
    throw error;
  }
}

function parseArguments(args: string): Record<string, unknown> {
  const value: unknown = args.trim() === "" ? {} : JSON.parse(args);
  if (typeof value !== "object" || value === null) throw new SyntaxError("the arguments are not a JSON object");
  return value as Record<string, unknown>;
}
