import { isMap } from "@voxbus/subscriber";
import { parseJson } from "@voxbus/protocol";

/**
 * Reads a JSON object that models and servers write with something around it: as JSON text, in a code fence, or with one
 * brace too many. An empty text or null is an empty object. Undefined if there is no object.
 */
export function readObject(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text.trim() === "") return {};
  const start = text.indexOf("{");
  const rest = start < 0 ? "" : text.slice(start);
  const value = parseJson(text);
  if (value === null) return {};
  if (typeof value === "string") return readObject(value);
  const object = value ?? parseJson(rest.slice(0, findClosingBrace(rest)));
  return isMap(object) ? object : undefined;
}

/** Finds the end of the JSON object that a text begins with; undefined if it does not end. */
export function findClosingBrace(text: string): number | undefined {
  let depth = 0;
  for (const { 0: mark, index } of text.matchAll(/"(?:[^"\\]|\\.)*"?|[{}]/g)) {
    if (mark === "{") depth += 1;
    else if (mark === "}") depth -= 1;
    if (depth === 0) return index + mark.length;
  }
  return undefined;
}
