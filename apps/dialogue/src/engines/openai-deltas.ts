import { isMap } from "@voxbus/subscriber";

/** A part of a tool call. The first part of a call has its name. */
export interface CallPart {
  readonly index?: number | undefined;
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly args: string;
  /** A field that the server wants back with the call, such as the signature of a thought. */
  readonly extra?: unknown;
}

/** The content of a chunk that matters here. */
export interface ChunkContent {
  readonly text: string;
  /** A thought that some servers want back with the calls that follow from it. It is not part of the answer. */
  readonly thought: string;
  readonly calls: readonly CallPart[];
  /** Why the model stopped, as OpenAI names it. */
  readonly finish?: string;
  readonly usage?: { readonly input: number; readonly output: number };
}

/** Reads the chunks of one completion. `isWhole` tells that a chunk may be the whole answer. */
export function createDeltaReader(): (chunk: Readonly<Record<string, unknown>>) => ChunkContent {
  let hasDelta = false;
  return ({ choices, usage }) => {
    const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
    const { delta, message, finish_reason: finish } = isMap(choice) ? choice : {};
    hasDelta ||= isMap(delta);
    // A message beside or after deltas repeats them.
    const content = isMap(delta) ? delta : !hasDelta && isMap(message) ? message : {};
    const { prompt_tokens: input, completion_tokens: output } = isMap(usage) ? usage : {};
    const isUsage = typeof input === "number" && typeof output === "number";
    return {
      // A refusal is an answer, in a field of its own.
      text: readText(content["content"]) || readText(content["refusal"]),
      thought: readText(content["reasoning_content"]),
      calls: readCalls(content),
      ...(typeof finish === "string" && { finish }),
      ...(isUsage && { usage: { input, output } }),
    };
  };
}

/** Reads the text of a content. Parts of another type, such as thoughts, are left out. */
function readText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part) => (isMap(part) && isText(part) ? part["text"] : typeof part === "string" ? part : ""))
    .join("");
}

function isText({ type = "text", text }: Readonly<Record<string, unknown>>): boolean {
  return (type === "text" || type === "output_text") && typeof text === "string";
}

function readCalls({ tool_calls: given, function_call: old }: Readonly<Record<string, unknown>>): readonly CallPart[] {
  const calls = Array.isArray(given) ? given : isMap(given) ? [given] : isMap(old) ? [{ function: old }] : [];
  return calls.filter(isMap).map(({ index, id, function: called, extra_content: extra }) => {
    const { name, arguments: args } = isMap(called) ? called : {};
    return {
      index: typeof index === "number" ? index : undefined,
      id: typeof id === "string" && id !== "" ? id : undefined,
      name: typeof name === "string" && name !== "" ? name : undefined,
      args: typeof args === "string" ? args : isMap(args) ? JSON.stringify(args) : "",
      extra: extra ?? undefined,
    };
  });
}

/** A call that a model makes. */
export interface PendingCall {
  readonly index: number | undefined;
  /** The id that the server gave, if any. */
  readonly id: string | undefined;
  name: string;
  args: string;
  extra: unknown;
}

/** Adds a part to its call, or begins a call. Servers give the same index to several calls, or new ids to one call. */
export function addCallPart(calls: PendingCall[], part: CallPart): void {
  const { index, id, name, args, extra } = part;
  const isSame = (call: PendingCall) =>
    index === undefined ? id !== undefined && call.id === id : call.index === index;
  const last = calls.findLast(isSame) ?? (index === undefined ? calls.at(-1) : undefined);
  if (last === undefined || beginsCall(last, part)) {
    calls.push({ index, id, name: name ?? "", args, extra });
    return;
  }
  if (name !== undefined && name !== last.name) last.name += name;
  last.args += args;
  last.extra ??= extra;
}

/** True if a part begins another call than `last`: only the first part of a call has a name, or all have the same. */
function beginsCall(last: PendingCall, { index, id, name }: CallPart): boolean {
  if (name === undefined || last.name === "") return false;
  if (isComplete(last.args) && (id === undefined || id !== last.id)) return true;
  return name !== last.name && (index === undefined || id !== last.id);
}

function isComplete(args: string): boolean {
  try {
    JSON.parse(args);
    return true;
  } catch {
    return false;
  }
}
