import type { Pool } from "@voxbus/pools";
import { withoutText } from "@voxbus/subscriber";
import type OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { apologize } from "../apologies.ts";
import { createThoughtFilter } from "../thoughts.ts";
import {
  ModelTimeoutError,
  ToolError,
  type AnswerRequest,
  type Delta,
  type LlmEngine,
  type TurnOfRequest,
} from "./engine.ts";
import { startModelSpan, traceTool } from "./model-span.ts";
import { readObject } from "./json-object.ts";
import { createCompleter, type Complete, type CompleterOptions } from "./openai-completer.ts";
import { addCallPart, createDeltaReader, type ChunkContent, type PendingCall } from "./openai-deltas.ts";
import { createMessages } from "./openai-messages.ts";
import { readChunks } from "./openai-stream.ts";
import { createTextCallScanner } from "./openai-text-calls.ts";
import { fitArguments } from "./tool-arguments.ts";
import { findTool, nameTools, plainName, type NamedTools } from "./tool-names.ts";

/** The address of a model, and its limits. */
export interface OpenAiOptions extends CompleterOptions {
  /** Its name, `openai` if it is the one of the variables. */
  readonly name?: string | undefined;
  readonly model: string;
  /** The instructions of the model where a profile has none. */
  readonly prompt?: string | undefined;
  /** The pool of requests. */
  readonly pool: Pool;
  /** ms until the first token of each request. */
  readonly firstTokenMs: number;
  /** ms between two tokens. */
  readonly nextTokenMs: number;
  /** How many times in one turn the model may call tools. */
  readonly rounds: number;
  /** True to tell the endpoint whose turn it answers. */
  readonly identify: boolean;
}

/** Creates an engine for any OpenAI-compatible chat completions endpoint: OpenAI, Ollama, vLLM, DeepSeek, Groq and others. */
export function createOpenAiEngine(options: OpenAiOptions): LlmEngine {
  const complete = createCompleter(options);
  return {
    name: options.name ?? "openai",
    pool: options.pool,
    thoughts: createThoughtFilter(),
    async *respond(request, signal): AsyncGenerator<Delta> {
      if (signal.aborted) return;
      if (request.text !== "") yield* answer(complete, request, options, signal);
      else if (request.spoken === "") {
        yield { type: "emotion", emotion: "confused" };
        yield { type: "text", text: apologize("unrecognized", request.language) };
      }
    },
  };
}

type Completion = OpenAI.ChatCompletionCreateParamsStreaming;

/** Lets the model answer and call tools, for at most `rounds` rounds of calls. */
async function* answer(
  complete: Complete,
  request: AnswerRequest,
  options: OpenAiOptions,
  signal: AbortSignal,
): AsyncGenerator<Delta> {
  const named = nameTools(request.device.tools.list);
  const messages = createMessages(request, options.prompt);
  const ids = new Set<string>();
  for (let round = 0; round <= options.rounds; round += 1) {
    // The last round has no tools, so it ends in words.
    const tools = round < options.rounds && named.tools.length > 0 ? named.tools : undefined;
    const scanner = createTextCallScanner((name) => findTool(named, name) !== undefined);
    const calls: PendingCall[] = [];
    let text = "";
    let thought = "";
    const completion: Completion = {
      model: options.model,
      messages,
      tools,
      stream: true,
      ...parametersOf(request.profile),
      ...(options.identify && { user: request.turn.device }),
    };
    const isLater = round > 0;
    const pieces = takeTurn(request, { pool: options.pool, isLater }, signal, (running) =>
      streamCompletion(complete, { completion, turn: request.turn }, options, running),
    );
    for await (const piece of pieces) {
      const scanned = piece.isEnd ? scanner.end() : scanner.push(piece.text);
      thought += piece.thought;
      for (const part of [...piece.calls, ...scanned.calls]) addCallPart(calls, part);
      if (piece.finish === "length" || piece.finish === "content_filter") yield { type: "cut", reason: piece.finish };
      if (scanned.text === "") continue;
      text += scanned.text;
      yield { type: "text", text: scanned.text };
    }
    if (signal.aborted) return;
    if (calls.length === 0) return;
    if (round === options.rounds) {
      // If it has said nothing, its user must hear that there is no answer.
      if (text.trim() !== "") return;
      throw new Error(`the model "${options.model}" called tools after ${options.rounds} rounds of calls`);
    }
    yield { type: "paragraph" };
    const made = calls.map((call) => ({ ...call, args: readObject(call.args), id: chooseId(call.id, ids) }));
    messages.push(describeCalls({ text, thought }, made));
    const contents = await Promise.all(made.map((call) => callTool(request, named, call, signal)));
    if (signal.aborted) return;
    for (const [at, { id }] of made.entries())
      messages.push({ role: "tool", tool_call_id: id, content: contents[at] ?? "" });
  }
}

/** Gives the parameters that a profile sets. */
function parametersOf({ model: { temperature, topP, maxTokens } }: AnswerRequest["profile"]): Partial<Completion> {
  return {
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
  };
}

/** Reads a request's pieces in its turn. While a tool is called, a turn holds no slot; its next request goes first. */
async function* takeTurn<Piece>(
  { turn }: AnswerRequest,
  { pool, isLater }: { readonly pool: Pool; readonly isLater: boolean },
  signal: AbortSignal,
  read: (running: AbortSignal) => AsyncIterable<Piece>,
): AsyncGenerator<Piece> {
  try {
    const { device, since } = turn;
    yield* pool.stream({ priority: "high", device, due: since, continues: isLater }, read, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function* streamCompletion(
  complete: Complete,
  { completion, turn }: { readonly completion: Completion; readonly turn: TurnOfRequest },
  { firstTokenMs, nextTokenMs, model, identify }: OpenAiOptions,
  signal: AbortSignal,
): AsyncGenerator<ChunkContent & { readonly isEnd: boolean }> {
  const patience = new AbortController();
  const expire = () => patience.abort(new ModelTimeoutError(`the model "${model}" did not answer in time`));
  let timer = setTimeout(expire, firstTokenMs);
  const span = startModelSpan({ provider: "openai", model });
  let failure: unknown;
  try {
    const response = await complete(completion, {
      signal: AbortSignal.any([signal, patience.signal]),
      timeout: firstTokenMs + 1000,
      headers: identify ? { ...nameTurn(turn), ...span.headers } : span.headers,
    });
    const readDelta = createDeltaReader();
    let isEmpty = true;
    for await (const chunk of readChunks(response)) {
      clearTimeout(timer);
      timer = setTimeout(expire, nextTokenMs);
      isEmpty &&= !Array.isArray(chunk["choices"]) || chunk["choices"].length === 0;
      const content = readDelta(chunk);
      if (content.text !== "") span.token();
      if (content.usage) span.usage(content.usage.input, content.usage.output);
      yield { ...content, isEnd: false };
      if (signal.aborted) return;
    }
    patience.signal.throwIfAborted();
    if (isEmpty) throw new SyntaxError("the answer is empty");
    yield { text: "", thought: "", calls: [], isEnd: true };
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

/** Writes the headers by which an agent behind the endpoint knows whose turn it answers. */
function nameTurn({ device, session, origin }: TurnOfRequest): Readonly<Record<string, string>> {
  return { "x-voxbus-device": device, "x-voxbus-session": session, "x-voxbus-turn": String(origin) };
}

function nameProblem(error: unknown, model: string): Error {
  return new Error(`the model "${model}" failed`, { cause: withoutText(error) });
}

/** A call with its arguments, or without if they are malformed. */
interface MadeCall {
  readonly id: string;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>> | undefined;
  /** A field that the server wants back with the call. */
  readonly extra: unknown;
}

/** Gives the id of a call, or one of our own if it has none or another call has it. Some models want 9 letters and digits. */
function chooseId(given: string | undefined, ids: Set<string>): string {
  let id = given;
  for (let n = ids.size; id === undefined || ids.has(id); n += 1) id = `call${String(n).padStart(5, "0")}`;
  ids.add(id);
  return id;
}

/**
 * Describes calls as strict servers want them: with the name of a function, and with arguments that are an object. Servers
 * that send thoughts, or an extra field of a call, refuse the call without them.
 */
function describeCalls(
  { text, thought }: { readonly text: string; readonly thought: string },
  calls: readonly MadeCall[],
): ChatCompletionMessageParam {
  const message: ChatCompletionMessageParam = {
    role: "assistant",
    content: text === "" ? null : text,
    tool_calls: calls.map(({ id, name, args = {}, extra }) => ({
      id,
      type: "function",
      function: { name: plainName(name), arguments: JSON.stringify(args) },
      ...(extra !== undefined && { extra_content: extra }),
    })),
  };
  return thought === "" ? message : Object.assign(message, { reasoning_content: thought });
}

/** Resolves with the tool's text, or with an error message for the model to read. */
async function callTool(
  { device }: AnswerRequest,
  named: NamedTools,
  { name, args }: MadeCall,
  signal: AbortSignal,
): Promise<string> {
  const tool = findTool(named, name);
  if (tool === undefined) return `Error: there is no function "${name}".`;
  if (args === undefined) return "Error: the arguments are not a JSON object.";
  try {
    return await traceTool(tool.name, () => device.tools.call(tool.name, fitArguments(args, tool.inputSchema), signal));
  } catch (error) {
    if (error instanceof ToolError) return `Error: ${error.message}`;
    if (signal.aborted) return "";
    throw error;
  }
}
