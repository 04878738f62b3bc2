import { decodeEnvelope, encodeEnvelope, namePath, type Encoded } from "@voxbus/protocol";
import type { z } from "zod";
import { CommandError, UsageError } from "./command.ts";

const hexText = /^hex(?: [0-9a-f]{2})*$/i;

/**
 * Makes the message of a channel from JSON text, in which bytes are written as `"hex f8 ff fe"`. With `wrap`, the JSON is
 * only its body. Throws UsageError if the text is not JSON, and CommandError that names the field and its limit if the
 * contract refuses the message, or would ignore a field.
 */
export function encodeJson<S extends z.ZodType>(
  schema: S,
  json: string,
  wrap: (body: object) => object = (message) => message,
): Encoded<S> {
  return encodeChecked(schema, wrap(parseMap(json)));
}

function parseMap(json: string): object {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's message quotes the text.
    throw new UsageError("the message is not JSON. Put it in single quotes, with double quotes inside.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UsageError("the message is not a JSON object.");
  return value;
}

function encodeChecked<S extends z.ZodType>(schema: S, given: object): Encoded<S> {
  const { v, ...message } = given as { readonly v?: unknown };
  if (v !== undefined && v !== 1) throw new CommandError("v: expected 1");
  // A text may look like bytes. It is taken for them only where a text does not fit.
  const candidate = schema.safeParse(message).success ? message : (toBytes(message) as object);
  try {
    const bytes = encodeEnvelope(schema, candidate as z.input<S>);
    const read: unknown = decodeEnvelope(schema, bytes);
    const ignored = findIgnored(candidate, read);
    if (ignored !== undefined) throw new CommandError(`${namePath(ignored, "message")}: not a field of this message`);
    return bytes;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function toBytes(value: unknown): unknown {
  if (typeof value === "string" && hexText.test(value)) return Buffer.from(value.slice(3).replaceAll(" ", ""), "hex");
  if (Array.isArray(value)) return value.map(toBytes);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toBytes(inner)]));
}

/** Finds the path of a field that the reader of a message leaves out. */
function findIgnored(given: unknown, read: unknown): readonly PropertyKey[] | undefined {
  if (Array.isArray(given) && Array.isArray(read))
    return findInEntries([...given.entries()], read as Readonly<Record<number, unknown>>);
  return isMap(given) && isMap(read) ? findInEntries(Object.entries(given), read) : undefined;
}

function findInEntries(
  entries: readonly (readonly [PropertyKey, unknown])[],
  read: object,
): readonly PropertyKey[] | undefined {
  for (const [key, value] of entries) {
    if (!Object.hasOwn(read, key)) return [key];
    const inner = findIgnored(value, (read as Readonly<Record<PropertyKey, unknown>>)[key]);
    if (inner !== undefined) return [key, ...inner];
  }
  return undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}
