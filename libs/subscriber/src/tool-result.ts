import { isMap } from "./is-map.ts";
import { RefusedCallError } from "./tool-errors.ts";

const maxLength = 16_384;

/**
 * Reads a tool's result as text for the model, in any shape that devices give it: a list of contents, a bare value, an
 * object. A result without words is "done". Throws RefusedCallError if the result itself says that the call failed.
 */
export function readResult(result: unknown): string {
  const text = readValue(result).slice(0, maxLength);
  if (isMap(result) && (isTrue(result["isError"]) || isFalse(result["success"])))
    throw new RefusedCallError(`the device refused: ${text}`);
  return text;
}

function readValue(value: unknown): string {
  const text = isMap(value) ? readObject(value) : readContent(value);
  return text.trim() === "" ? "done" : text;
}

function readObject(result: Readonly<Record<string, unknown>>): string {
  const content = readContent(result["content"]);
  if (content !== "") return content;
  const structured = result["structuredContent"];
  if (structured !== undefined && structured !== null) return JSON.stringify(structured);
  const { content: _content, isError: _isError, _meta, structuredContent: _structured, ...rest } = result;
  return Object.keys(rest).length === 0 ? "" : JSON.stringify(rest);
}

/** Reads contents: one or a list of them, with text or of another type. Anything else becomes JSON. */
function readContent(content: unknown): string {
  if (content === undefined || content === null) return "";
  if (typeof content === "string") return content;
  if (Array.isArray(content) && content.every(isPart)) return content.map(readPart).filter(Boolean).join("\n");
  return isPart(content) ? readPart(content) : JSON.stringify(content);
}

type Part = string | Readonly<Record<string, unknown>>;

function isPart(part: unknown): part is Part {
  if (typeof part === "string") return true;
  return isMap(part) && (typeof part["type"] === "string" || typeof part["text"] === "string");
}

function readPart(part: Part): string {
  if (typeof part === "string") return part;
  const { type, text } = part;
  if (typeof text === "string") return text;
  if (type === "text") return "";
  return type === "resource" || type === "json" ? JSON.stringify(part) : `[${String(type)}]`;
}

function isTrue(flag: unknown): boolean {
  return flag === true || flag === 1 || flag === "true";
}

function isFalse(flag: unknown): boolean {
  return flag === false || flag === "false";
}
