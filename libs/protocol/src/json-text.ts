import { ProtocolError } from "./errors.ts";

const maxDepth = 24;
const maxParts = 1024;
// Text frames are UTF-8, so half a surrogate pair can only come from an escape.
const surrogateEscape = /\\u[dD][89a-fA-F]/;

/**
 * Splits the text of a JSON object into the texts of its fields, without parsing them. Returns undefined if it is no
 * object. Nested values are only measured: they need not be valid JSON, but their brackets are balanced. Throws
 * `bad-message` when there are more than 1024 commas and brackets, or more than 24 levels.
 */
export function splitObject(text: string): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  const measure = createMeasure(text);
  const open = skipSpace(text, 0);
  if (text[open] !== "{") return undefined;
  let at = skipSpace(text, open + 1);
  while (text[at] !== "}" || fields.size > 0) {
    const colon = text[at] === '"' ? skipSpace(text, skipString(text, at)) : at;
    if (text[colon] !== ":") return undefined;
    const name = parseJson(text.slice(at, colon));
    const from = skipSpace(text, colon + 1);
    const to = measure(from);
    if (typeof name !== "string" || to === from) return undefined;
    fields.set(name, text.slice(from, to));
    at = skipSpace(text, to);
    if (text[at] === "}") break;
    if (text[at] !== ",") return undefined;
    at = skipSpace(text, at + 1);
  }
  return skipSpace(text, at + 1) === text.length ? fields : undefined;
}

/** Parses JSON text; undefined if it is not JSON. Halves of surrogate pairs, which UTF-8 cannot express, become U+FFFD. */
export function parseJson(text: string): unknown {
  try {
    return surrogateEscape.test(text) ? JSON.parse(text, repair) : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** True for the text of one valid JSON object within the limits of `splitObject`. A device is sent it as it is. */
export function isObjectText(text: string): boolean {
  try {
    return splitObject(text) !== undefined && parseJson(text) !== undefined;
  } catch {
    return false;
  }
}

function repair(_key: string, value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}

/** Creates a function that gives the end of the value that begins at a place. All values count together. */
function createMeasure(text: string): (from: number) => number {
  let parts = 0;
  return (from) => {
    parts += 1;
    let depth = 0;
    for (let at = from; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === quote) {
        at = skipString(text, at) - 1;
        if (depth === 0) return at + 1;
      } else if (code === openBrace || code === openBracket) {
        parts += 1;
        depth += 1;
        if (depth >= maxDepth) throw refuse(`nests at most ${maxDepth} levels`);
      } else if (code === closeBrace || code === closeBracket) {
        if (depth <= 1) return depth === 0 ? at : at + 1;
        depth -= 1;
      } else if (code === comma) {
        if (depth === 0) return at;
        parts += 1;
      } else if (depth === 0 && isSpace(code)) return at;
      if (parts > maxParts) throw refuse(`has at most ${maxParts} commas and brackets`);
    }
    // An open value would end behind the text, and a field needs something behind it.
    return text.length;
  };
}

function skipString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let escape = at;
    while (text.charCodeAt(escape - 1) === backslash) escape -= 1;
    if ((at - escape) % 2 === 0) return at + 1;
  }
  return text.length;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

const [quote, backslash, comma] = [34, 92, 44];
const [openBrace, closeBrace, openBracket, closeBracket] = [123, 125, 91, 93];

function refuse(limit: string): ProtocolError {
  return new ProtocolError("bad-message", "message", `a message ${limit}`);
}
