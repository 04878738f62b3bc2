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

/** The notations: how a call begins, how it ends (undefined: with the answer), and whether it may be ordinary text. */
interface Notation {
  readonly open: string;
  readonly close: string | undefined;
  readonly isText?: boolean;
}

const notations: readonly Notation[] = [
  { open: "<tool_call>", close: "</tool_call>" },
  { open: "<tool_calls>", close: "</tool_calls>" },
  { open: "<function_call>", close: "</function_call>" },
  { open: "<|tool_call|>", close: "<|/tool_call|>" },
  { open: "<function=", close: "</function>" },
  { open: "[TOOL_CALLS]", close: undefined },
  { open: "<|python_tag|>", close: undefined },
  { open: "```", close: "```", isText: true },
  { open: "{", close: "}", isText: true },
];
const maxLength = 16_384;

/** Creates a scanner of one completion. `isTool` tells tools' names from those in ordinary JSON. */
export function createTextCallScanner(isTool: (name: string) => boolean): TextCallScanner {
  let held = "";
  let inside: Notation | undefined;

  /** Ends what is held of a notation: its calls, or its text. */
  const finish = (notation: Notation, whole: string): Scanned => {
    inside = undefined;
    const calls = parseCalls(trimMarks(whole, notation));
    const isCall = notation.isText !== true || (calls.length > 0 && calls.every(({ name = "" }) => isTool(name)));
    return isCall ? { text: "", calls } : { text: whole, calls: [] };
  };

  /** Takes the next complete piece out of what is held; undefined if it is not there yet. */
  const step = (): Scanned | undefined => {
    if (inside !== undefined) {
      const end = findEnd(held, inside);
      if (end === undefined && held.length < maxLength) return undefined;
      const whole = held.slice(0, end);
      held = held.slice(whole.length);
      return finish(inside, whole);
    }
    const found = findNotation(held);
    const until = found?.at ?? held.length - longestBeginning(held);
    inside = found?.notation;
    const text = held.slice(0, until);
    held = held.slice(until);
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
      const rest = inside === undefined ? { text: held, calls: [] } : finish(inside, held);
      held = "";
      return rest;
    },
  };
}

function findNotation(text: string): { readonly notation: Notation; readonly at: number } | undefined {
  const found = notations
    .map((notation) => ({ notation, at: text.indexOf(notation.open) }))
    .filter(({ at }) => at >= 0);
  return found.toSorted((a, b) => a.at - b.at)[0];
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

/** Finds the end of a notation that `text` begins with. JSON ends where it is complete. */
function findEnd(text: string, { open, close }: Notation): number | undefined {
  if (close === undefined) return undefined;
  for (let at = text.indexOf(close, open.length); at >= 0; at = text.indexOf(close, at + 1)) {
    const end = at + close.length;
    if (open !== "{" || parse(text.slice(0, end)) !== undefined) return end;
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
