import { parseJson } from "@voxbus/protocol";
import { thoughtNames } from "../thoughts.ts";
import { findClosingBrace } from "./json-object.ts";
import { parseCalls, readJsonCalls } from "./openai-call-parser.ts";
import type { CallPart } from "./openai-deltas.ts";

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

/** A notation of calls, of thoughts, in which calls are not made, or of a channel, whose name tells which it is. */
interface Notation {
  /** A pattern of its beginning. */
  readonly open: string;
  /** Gives a pattern of its end. Absent: it ends with the answer. */
  readonly close?: (opened: string) => string;
  /** Absent: calls. A thought that is shown is hidden later, by its tags. */
  readonly kind?: "shown thought" | "hidden thought" | "channel";
  /** A pattern of what must follow, as far as it has come. Without it, it is text. Absent for notations that are never text. */
  readonly after?: string;
}

const escape = (text: string) => text.replaceAll(/[|[\]{}()./]/g, String.raw`\$&`);
const closeTag = (opened: string) => escape(`</${opened.slice(1)}`);
const channelCall: Notation = { open: "", close: () => String.raw`<\|(?:call|end)\|>` };
const channelThought: Notation = { open: "", close: () => String.raw`<\|(?:end|return)\|>`, kind: "hidden thought" };

/** The notations of models. Blanks and bars of other scripts in a mark are read as those of ASCII. */
const notations: readonly Notation[] = [
  {
    open: String.raw`<\|tool_calls?(?:_section)?_(?:begin|start)\|>|<\|action_start\|>|<\|START_ACTION\|>`,
    close: (opened) => escape(opened.replace(/begin|start/i, (word) => (word === "START" ? "END" : "end"))),
  },
  { open: String.raw`<\|tool_call\|>`, close: () => String.raw`<\|/tool_call\|>` },
  { open: String.raw`<\|python_tag\|>` },
  { open: String.raw`<[\w:|.]*(?:tool_?calls?|function_?calls?)>`, close: closeTag },
  { open: "<function=", close: () => "</function>" },
  { open: "<invoke name=", close: () => "</invoke>" },
  { open: String.raw`<\|(?:start|channel)\|>`, close: () => String.raw`<\|message\|>`, kind: "channel" },
  { open: String.raw`\[TOOL_CALLS\]` },
  { open: "```", close: () => "```", after: String.raw`\w*\s*(?:$|[{[<])|tool_code` },
  { open: String.raw`\{`, after: String.raw`\s*(?:$|"(?:$|[nftap]))` },
  { open: String.raw`\[`, close: () => String.raw`\)\s*\]`, after: String.raw`(?:$|[A-Za-z_][\w.]*(?:$|\())` },
  { open: `<(?:${thoughtNames})>`, close: closeTag, kind: "shown thought" },
];
const maxLength = 16_384;
/** A group for each notation. */
const anyOpen = new RegExp(
  notations.map(({ open, after }) => (after === undefined ? `(${open})` : `(${open})(?=${after})`)).join("|"),
  "i",
);
/** An end of a text that a notation may begin with. */
const beginning = /<(?:[|/\w][^<>\n]{0,60})?$|`{1,2}$/;

/** A notation that has begun. */
interface Begun {
  readonly notation: Notation;
  readonly opened: string;
  readonly close: RegExp | undefined;
}

/** Creates a scanner of one completion. `isTool` tells tools' names from those in ordinary JSON. */
export function createTextCallScanner(isTool: (name: string) => boolean): TextCallScanner {
  let held = "";
  let inside: Begun | undefined;

  const take = (length: number | undefined): string => {
    const taken = held.slice(0, length);
    held = held.slice(taken.length);
    return taken;
  };
  /** Ends what is held of a notation: its calls, or its text. */
  const finish = ({ notation, opened, close }: Begun, whole: string): Scanned => {
    inside = undefined;
    if (notation.kind === "channel") return enterChannel(whole);
    const calls = opened === "{" ? readJsonCalls(parseJson(whole)) : parseCalls(trimMarks(whole, opened, close));
    const isCall = notation.after === undefined || (calls.length > 0 && calls.every(({ name = "" }) => isTool(name)));
    return isCall ? { text: "", calls } : { text: whole, calls: [] };
  };
  /** Decides what follows the name of a channel: a call, a thought, or text. */
  const enterChannel = (header: string): Scanned => {
    if (/\bto=/.test(header)) {
      held = header + held;
      inside = begin(channelCall, "");
    } else if (header.includes("analysis")) inside = begin(channelThought, "");
    return { text: "", calls: [] };
  };
  const passThought = ({ notation, close }: Begun): Scanned | undefined => {
    const end = findEnd(held, close);
    if (end !== undefined) inside = undefined;
    // The end may have begun.
    const text = take(end ?? Math.max(0, held.length - 16));
    if (text === "" && end === undefined) return undefined;
    return { text: notation.kind === "hidden thought" ? "" : text, calls: [] };
  };

  /** Takes the next complete piece out of what is held; undefined if it is not there yet. */
  const step = (): Scanned | undefined => {
    if (inside?.notation.kind?.endsWith("thought") === true) return passThought(inside);
    if (inside !== undefined) {
      const { notation, opened, close } = inside;
      const isText = notation.after !== undefined && findNotation(held)?.at !== 0;
      const end = isText
        ? opened.length
        : opened === "{"
          ? findClosingBrace(held)
          : findEnd(held, close, opened.length);
      if (end === undefined && held.length < maxLength) return undefined;
      return finish(inside, take(end));
    }
    const found = findNotation(held);
    inside = found?.begun;
    const text = take(found?.at ?? beginning.exec(held)?.index);
    return text === "" && inside === undefined ? undefined : { text, calls: [] };
  };

  const join = (pieces: readonly Scanned[]): Scanned => ({
    text: pieces.map(({ text }) => text).join(""),
    calls: pieces.flatMap(({ calls }) => calls),
  });
  const push = (text: string): Scanned => {
    held = foldMarks(held + text);
    const pieces: Scanned[] = [];
    for (let piece = step(); piece !== undefined; piece = step()) pieces.push(piece);
    return join(pieces);
  };
  return {
    push,
    end() {
      const rest = take(undefined);
      if (inside === undefined || inside.notation.kind === "shown thought") return { text: rest, calls: [] };
      return inside.notation.kind === undefined ? finish(inside, rest) : { text: "", calls: [] };
    },
  };
}

/** Writes the bars and blanks of marks in ASCII. The length stays the same. */
function foldMarks(text: string): string {
  return text.replaceAll(/<[^<>\n]{0,60}/g, (mark) => mark.replaceAll("｜", "|").replaceAll("▁", "_"));
}

function begin(notation: Notation, opened: string): Begun {
  const close = notation.close?.(opened);
  return { notation, opened, close: close === undefined ? undefined : new RegExp(close, "i") };
}

/** Finds the first notation in a text. */
function findNotation(text: string): { readonly begun: Begun; readonly at: number } | undefined {
  const found = anyOpen.exec(text);
  const opened = found?.[0] ?? "";
  const notation = notations.find((_, i) => found?.[i + 1] !== undefined);
  return notation && { begun: begin(notation, opened), at: found?.index ?? 0 };
}

/** Finds the end of a notation that `text` begins with. */
function findEnd(text: string, close: RegExp | undefined, from = 0): number | undefined {
  const found = close?.exec(text.slice(from));
  return found ? from + found.index + found[0].length : undefined;
}

function trimMarks(whole: string, opened: string, close: RegExp | undefined): string {
  if (/^(?:\{|\[|<function=|<invoke name=)$/i.test(opened)) return whole;
  const end = close === undefined ? null : new RegExp(`(?:${close.source})$`, "i").exec(whole);
  const body = whole.slice(opened.length, end?.index);
  return opened === "```" ? body.replace(/^\w*\n/, "") : body;
}
