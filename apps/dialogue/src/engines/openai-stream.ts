import { APIError } from "openai";

/** The longest line of a stream, and the longest answer that is not one, in characters. */
const maxLength = 4_194_304;

type Chunk = Readonly<Record<string, unknown>>;

/**
 * Reads the chunks of an answer as they arrive: server-sent events, lines of JSON, or one JSON object. Servers differ in
 * the ends of lines, in blanks, in comments, and in whether they send `[DONE]`. Throws APIError for an error that the server
 * reports in the stream, and SyntaxError for a chunk that is not JSON.
 */
export async function* readChunks(response: Response): AsyncGenerator<Chunk> {
  const isStream = !/application\/json/i.test(response.headers.get("content-type") ?? "");
  const decoder = new TextDecoder();
  let text = "";
  let event = "";
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    if (text.length > maxLength) throw new SyntaxError(`a chunk has more than ${maxLength} characters`);
    if (!isStream) continue;
    const lines = text.split(/\r\n|\r|\n/);
    text = lines.pop() ?? "";
    for (const line of lines) {
      const { field, value } = splitLine(line);
      if (value === "[DONE]") return;
      if (field === "event") event = value;
      else if (field === "" && value === "") event = "";
      else if (field === "data" || field === "error") yield* readChunk(value, field === "error" || event === "error");
    }
  }
  if (!isStream && isJson(text)) yield* readChunk(text, false);
  else
    for (const line of text.split(/\r\n|\r|\n/)) {
      const { field, value } = splitLine(line);
      if (value !== "[DONE]" && field === "data") yield* readChunk(value, false);
    }
}

/** Splits a line into its field and value. A line of JSON counts as data. */
function splitLine(line: string): { readonly field: string; readonly value: string } {
  const bare = line.trim();
  if (bare.startsWith("{") || bare === "[DONE]") return { field: "data", value: bare };
  const colon = bare.indexOf(":");
  if (colon < 1) return { field: colon === 0 ? ":" : bare, value: "" };
  return { field: bare.slice(0, colon).trim(), value: bare.slice(colon + 1).trim() };
}

function* readChunk(text: string, isError: boolean): Generator<Chunk> {
  if (text === "") return;
  const chunk = JSON.parse(text) as unknown;
  if (typeof chunk !== "object" || chunk === null) return;
  const { error, object, message, choices } = chunk as Chunk;
  const isBare = object === "error" || (choices === undefined && typeof message === "string");
  const problem = error ?? (isError || isBare ? chunk : undefined);
  if (problem !== undefined) throw new APIError(statusOf(problem), toObject(problem), undefined, undefined);
  yield chunk as Chunk;
}

/** Some servers have the status as the code of an error. */
function statusOf(problem: unknown): number | undefined {
  const { code } = toObject(problem) as { readonly code?: unknown };
  return typeof code === "number" ? code : undefined;
}

function toObject(problem: unknown): object {
  return typeof problem === "object" && problem !== null ? problem : { message: String(problem) };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
