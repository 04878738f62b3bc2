import { tracingIsOn } from "@voxbus/bus";
import type { ExtraFields } from "@voxbus/engines";
import OpenAI, { APIError } from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";

/**
 * A part of requests that some servers refuse: tools, the count of tokens, a system message and roles in any order, the
 * name of the user, or the parameters of a profile.
 */
export type RequestPart = (typeof requestParts)[number];
export const requestParts = ["tools", "usage", "roles", "user", "parameters"] as const;

/** A refused part, and the status of the refusal. */
export interface RefusedPart {
  readonly part: RequestPart;
  readonly status: number;
}

/** The server, its key, and who is told what it refuses. */
export interface CompleterOptions {
  /** The base URL, ending in /v1. Unset: OpenAI's own. */
  readonly url?: string | undefined;
  /** Local servers need no key. */
  readonly key?: string | undefined;
  /** Fields that are merged into each request. */
  readonly extra?: ExtraFields | undefined;
  /** Called when a server turns out to refuse a part, once until it takes the part again. */
  readonly onRefused?: ((refused: RefusedPart) => void) | undefined;
  /** Called before each further request that the function makes for one that it was asked for. */
  readonly onRepeat?: (() => void) | undefined;
  /** Called when a server takes a part again that it has refused. */
  readonly onTaken?: ((part: RequestPart) => void) | undefined;
}

type Completion = OpenAI.ChatCompletionCreateParamsStreaming;
/** Requests a completion. Resolves with the answer's head; its body follows. */
export type Complete = (completion: Completion, options: OpenAI.RequestOptions) => Promise<Response>;

/** Statuses of servers that do not support a part. A request with another failure is not repeated. */
const refusals = [400, 404, 405, 415, 422, 500, 501];
/** A refusal is believed for this time, ms. The server may have had another reason, or be replaced. */
const rememberMs = 600_000;
/** A request that has each part in its simplest form. */
const smallRequest = {
  messages: [
    { role: "system", content: "Answer with one word." },
    { role: "user", content: "Hello." },
    { role: "user", content: "Are you there?" },
  ],
  tools: [
    {
      type: "function",
      function: { name: "wait", description: "Waits.", parameters: { type: "object", properties: {} } },
    },
  ],
  user: "voxbus",
  temperature: 1,
  max_tokens: 16,
  stream: true,
} satisfies Omit<Completion, "model">;

/**
 * Creates a function that requests completions. A request that fails with 500, which may have any cause, is repeated as it is. One
 * that is refused is repeated at once without each part that servers are known to refuse, then without all of them. If that helps,
 * the server is asked for a few words with the part: the request may have been too long, or its tools malformed. A part that is
 * refused then is left out for 10 minutes.
 */
export function createCompleter({ url, key, extra, onRefused, onRepeat, onTaken }: CompleterOptions): Complete {
  // The client requires a key. It must not retry on its own while the device waits, and its log quotes answers.
  const client = new OpenAI({ baseURL: url, apiKey: key ?? "none", maxRetries: 0, logLevel: "off" });
  const refusedUntil = new Map<RequestPart, number>();
  const told = new Set<RequestPart>();
  const checking = new Set<RequestPart>();

  const post = (completion: Completion, parts: readonly RequestPart[], options: OpenAI.RequestOptions) =>
    client.chat.completions.create({ ...extra, ...shapeRequest(completion, parts) }, options).asResponse();

  const isRefused = (part: RequestPart) => (refusedUntil.get(part) ?? 0) > performance.now();
  const remember = (part: RequestPart, status: number) => {
    refusedUntil.set(part, performance.now() + rememberMs);
    if (!told.has(part)) onRefused?.({ part, status });
    told.add(part);
  };
  const check = async (part: RequestPart, model: string, timeout: number | undefined): Promise<void> => {
    if (checking.has(part) || isRefused(part)) return;
    checking.add(part);
    const enough = new AbortController();
    onRepeat?.();
    try {
      await post({ ...smallRequest, model }, [part], { signal: enough.signal, timeout });
    } catch (error) {
      if (refusals.includes(statusOf(error))) remember(part, statusOf(error));
    }
    enough.abort();
    checking.delete(part);
  };
  return async (completion, options) => {
    const sent = requestParts.filter((part) => hasPart(completion, part) && !isRefused(part));
    let refusal: unknown;
    const attempts = [[], [], ...sent.map((part) => [part]), ...(sent.length > 1 ? [sent] : [])];
    for (const [attempt, without] of attempts.entries()) {
      if (attempt === 1 && statusOf(refusal) !== 500) continue;
      if (attempt > 0) onRepeat?.();
      try {
        const parts = sent.filter((part) => !without.includes(part));
        const response = await post(completion, parts, options);
        for (const part of parts) if (told.delete(part)) onTaken?.(part);
        for (const part of without) void check(part, completion.model, options.timeout);
        return response;
      } catch (error) {
        refusal ??= error;
        if (!refusals.includes(statusOf(error))) throw refusal;
      }
    }
    throw refusal;
  };
}

function statusOf(error: unknown): number {
  return error instanceof APIError ? ((error.status as number | undefined) ?? 0) : 0;
}

function hasPart({ tools, user, temperature, top_p, max_tokens }: Completion, part: RequestPart): boolean {
  const has = {
    tools: tools !== undefined,
    usage: tracingIsOn(),
    roles: true,
    user: user !== undefined,
    parameters: [temperature, top_p, max_tokens].some((parameter) => parameter !== undefined),
  };
  return has[part];
}

/** Writes a request with only the given parts. */
function shapeRequest(completion: Completion, parts: readonly RequestPart[]): Completion {
  const { tools, messages, user, ...rest } = parts.includes("parameters") ? completion : withoutParameters(completion);
  const spoken = tools !== undefined && !parts.includes("tools") ? messages.flatMap(tellCalls) : messages;
  return {
    ...rest,
    messages: parts.includes("roles") ? spoken : alternateRoles(spoken),
    ...(tools !== undefined && parts.includes("tools") && { tools }),
    ...(user !== undefined && parts.includes("user") && { user }),
    ...(parts.includes("usage") && { stream_options: { include_usage: true } }),
  };
}

function withoutParameters({
  temperature: _freedom,
  top_p: _share,
  max_tokens: _most,
  ...rest
}: Completion): Completion {
  return rest;
}

/** Writes a call and its result as text. A model that does not see what it has done may do it again. */
function tellCalls(
  message: ChatCompletionMessageParam,
  _index: number,
  messages: readonly ChatCompletionMessageParam[],
): ChatCompletionMessageParam[] {
  if (message.role === "tool") {
    const calls = messages.flatMap((one) => (one.role === "assistant" ? (one.tool_calls ?? []) : []));
    const made = calls.find(({ id }) => id === message.tool_call_id);
    const { name, arguments: args } = made?.type === "function" ? made.function : { name: "a function", arguments: "" };
    return [{ role: "user", content: `(Result of ${name} with ${args}: ${message.content as string})` }];
  }
  if (message.role !== "assistant" || message.tool_calls === undefined) return [message];
  return typeof message.content === "string" ? [{ role: "assistant", content: message.content }] : [];
}

/** Puts the system message into the first one of the user, and joins neighbors of one role. The user begins. */
function alternateRoles(messages: readonly ChatCompletionMessageParam[]): ChatCompletionMessageParam[] {
  const joined: ChatCompletionMessageParam[] = [];
  const systems = messages.filter(({ role }) => role === "system").map(({ content }) => content as string);
  for (const message of messages) {
    const last = joined.at(-1);
    if (message.role === "system" || (last === undefined && message.role !== "user")) continue;
    const content = last === undefined ? [...systems, message.content as string].join("\n\n") : message.content;
    const isPlain = message.role === "user" || (message.role === "assistant" && message.tool_calls === undefined);
    if (isPlain && last?.role === message.role && !("tool_calls" in last))
      joined[joined.length - 1] = { ...message, content: `${last.content as string}\n${message.content as string}` };
    else joined.push({ ...message, content } as ChatCompletionMessageParam);
  }
  return joined;
}
