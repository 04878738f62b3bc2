import type { CallPart } from "./openai-deltas.ts";
import { isMap } from "./is-map.ts";

/** Text that can be spoken, and the calls that were among it. */
interface Scanned {
  readonly text: string;
  readonly calls: readonly CallPart[];
}

/** Finds the calls of tools that a model writes into its text, because its server does not recognize them. */
export interface TextCallScanner {
  /** Takes the next piece of a completion. Text that may belong to a call is held back. */
  push(text: string): Scanned;
  /** Ends the completion. A call that was cut off is left out. */
  end(): Scanned;
}

/** A notation of calls, or of thoughts, in which calls are not made. */
interface Notation {
  readonly open: string;
  /** Undefined: it ends with the answer. */
  readonly close: string | undefined;
  readonly isThought?: boolean;
  /** A pattern of what must follow, as far as it has come. Without it, it is text. Absent for notations that are never text. */
  readonly after?: string;
}

const notations: readonly Notation[] = [
  { open: "<tool_call>", close: "</tool_call>" },
  { open: "<tool_calls>", close: "</tool_calls>" },
  { open: "<function_call>", close: "</function_call>" },
  { open: "<|tool_call|>", close: "<|/tool_call|>" },
  { open: "<function=", close: "</function>" },
  { open: "[TOOL_CALLS]", close: undefined },
  { open: "<|python_tag|>", close: undefined },
  { open: "```", close: "```", after: String.raw`\w*\s*(?:$|[{[<])` },
  { open: "{", close: "}", after: String.raw`\s*(?:$|"(?:$|[nftap]))` },
  { open: "<think>", close: "</think>", isThought: true },
  { open: "<thinking>", close: "</thinking>", isThought: true },
];
const maxLength = 16_384;
const anyOpen = new RegExp(notations.map(patternOf).join("|"));

/** Creates a scanner of one completion. `isTool` tells tools' names from those in ordinary JSON. */
export function createTextCallScanner(isTool: (name: string) => boolean): TextCallScanner {
  let held = "";
  let inside: Notation | undefined;

  /** Ends what is held of a notation: its calls, or its text. */
  const finish = (notation: Notation, whole: string): Scanned => {
    inside = undefined;
    const calls = parseCalls(trimMarks(whole, notation));
    const isCall = notation.after === undefined || (calls.length > 0 && calls.every(({ name = "" }) => isTool(name)));
    return isCall ? { text: "", calls } : { text: whole, calls: [] };
  };

  const take = (length: number | undefined): string => {
    const taken = held.slice(0, length);
    held = held.slice(taken.length);
    return taken;
  };
  const passThought = (close: string): Scanned | undefined => {
    const at = held.indexOf(close);
    if (at >= 0) inside = undefined;
    const text = take(at >= 0 ? at + close.length : Math.max(0, held.length - close.length + 1));
    return text === "" ? undefined : { text, calls: [] };
  };

  /** Takes the next complete piece out of what is held; undefined if it is not there yet. */
  const step = (): Scanned | undefined => {
    if (inside?.isThought === true) return passThought(inside.close ?? "");
    if (inside !== undefined) {
      const isText = inside.after !== undefined && findNotation(held)?.at !== 0;
      const end = isText ? inside.open.length : findEnd(held, inside);
      if (end === undefined && held.length < maxLength) return undefined;
      const whole = take(end);
      return finish(inside, whole);
    }
    const found = findNotation(held);
    const until = found?.at ?? held.length - longestBeginning(held);
    inside = found?.notation;
    const text = take(until);
    return text === "" && inside === undefined ? undefined : { text, calls: [] };
  };

  const join = (pieces: readonly Scanned[]): Scanned => ({
    text: pieces.map(({ text }) => text).join(""),
    calls: pieces.flatMap(({ calls }) => calls),
  });
  const push = (text: string): Scanned => {
    held += text;
    const pieces: Scanned[] = [];
    for (let piece = step(); piece !== undefined; piece = step()) pieces.push(piece);
    return join(pieces);
  };
  return {
    push,
    end() {
      const rest = inside === undefined || inside.isThought === true ? { text: held, calls: [] } : finish(inside, held);
      held = "";
      return rest;
    },
  };
}

function findNotation(text: string): { readonly notation: Notation; readonly at: number } | undefined {
  const found = anyOpen.exec(text);
  const notation = notations.find(({ open }) => open === found?.[0]);
  return found === null || notation === undefined ? undefined : { notation, at: found.index };
}

function patternOf({ open, after }: Notation): string {
  const literal = open.replaceAll(/[|[\]{}]/g, String.raw`\$&`);
  return after === undefined ? literal : `${literal}(?=${after})`;
}

/** Gives the length of the longest end of a text that a call may begin with. */
function longestBeginning(text: string): number {
  const lengths = notations.map(({ open }) => {
    for (let length = Math.min(open.length - 1, text.length); length > 0; length -= 1)
      if (open.startsWith(text.slice(text.length - length))) return length;
    return 0;
  });
  return Math.max(...lengths);
}

/** Finds the end of a notation that `text` begins with. JSON ends with the brace that closes its first one. */
function findEnd(text: string, { open, close }: Notation): number | undefined {
  if (close === undefined) return undefined;
  if (open === "{") return findClosingBrace(text);
  const at = text.indexOf(close, open.length);
  return at < 0 ? undefined : at + close.length;
}

function findClosingBrace(text: string): number | undefined {
  let depth = 0;
  for (const { 0: mark, index } of text.matchAll(/"(?:[^"\\]|\\.)*"?|[{}]/g)) {
    if (mark === "{") depth += 1;
    else if (mark === "}") depth -= 1;
    if (depth === 0) return index + mark.length;
  }
  return undefined;
}

function trimMarks(whole: string, { open, close = "" }: Notation): string {
  if (open === "{" || open === "<function=") return whole;
  const body = whole.slice(open.length, whole.endsWith(close) && close !== "" ? -close.length : undefined);
  return open === "```" ? body.replace(/^\w*\n/, "") : body;
}

/** Parses the body of a notation, which models write in many forms. Gives no calls if it is in none of them. */
function parseCalls(body: string): readonly CallPart[] {
  const text = body.trim();
  const json = parse(text);
  if (json !== undefined) return readJson(json);
  const functions = [...text.matchAll(/<function=([^>]+)>([^]*?)<\/function>/g)];
  if (functions.length > 0) return functions.map(([, name = "", args = ""]) => makeCall(name, readParameters(args)));
  const [, name, rest = ""] = /^([\w.-]+)(?:\[ARGS\])?\s*([^]*)$/.exec(text) ?? [];
  if (name !== undefined && rest === "") return [makeCall(name, {})];
  if (name !== undefined && /^[{<]/.test(rest)) return [makeCall(name, readParameters(rest))];
  const lines = text.split(/[\n;](?=\s*\{)/).map(parse);
  return lines.includes(undefined) ? [] : lines.flatMap(readJson);
}

/** Reads calls in JSON: one, a list, or wrapped as in an answer of the API. */
function readJson(json: unknown): readonly CallPart[] {
  if (Array.isArray(json)) return json.flatMap(readJson);
  if (!isMap(json)) return [];
  const { tool_calls: list, function: called } = json;
  if (Array.isArray(list)) return readJson(list);
  if (isMap(called)) return readJson(called);
  const { name = called, arguments: args, parameters } = json;
  const given = args ?? parameters ?? {};
  if (typeof name !== "string" || (args === undefined && parameters === undefined)) return [];
  return [{ name, args: typeof given === "string" ? given : JSON.stringify(given) }];
}

/** Reads arguments that are JSON, or written as elements. */
function readParameters(text: string): unknown {
  const json = parse(text.trim());
  if (json !== undefined) return json;
  const pairs = [
    ...text.matchAll(/<parameter=([^>]+)>([^]*?)<\/parameter>/g),
    ...text.matchAll(/<arg_key>([^]*?)<\/arg_key>\s*<arg_value>([^]*?)<\/arg_value>/g),
  ];
  return Object.fromEntries(pairs.map(([, key = "", value = ""]) => [key.trim(), parse(value.trim()) ?? value.trim()]));
}

function makeCall(name: string, args: unknown): CallPart {
  return { name: name.trim(), args: JSON.stringify(args) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
