import { Decoder, Encoder } from "@msgpack/msgpack";
import type { z } from "zod";
import { namePath, ProtocolError } from "../errors.ts";
import { readInAudio, readOutAudio } from "./audio-reader.ts";
import { busVersion } from "./fields.ts";
import { InAudio, Inbound } from "./inbound.ts";
import { checkMessagePack, maxEnvelopeDepth } from "./measure.ts";
import { OutAudio, Outbound } from "./outbound.ts";

// One level more than containers may have, for the values in the deepest one.
const encoder = new Encoder({ ignoreUndefined: true, maxDepth: maxEnvelopeDepth + 1 });
const decoder = new Decoder();
/** Fast ways to read the frames that come 17 times a second from and for each device that talks. */
const usualReaders = new Map<z.ZodType, (data: Uint8Array) => object | undefined>([
  [Inbound, readInAudio],
  [InAudio, readInAudio],
  [Outbound, readOutAudio],
  [OutAudio, readOutAudio],
]);

declare const encodedAs: unique symbol;
/** The bytes of an envelope of schema `S`, ready to be sent. */
export type Encoded<S extends z.ZodType> = Uint8Array & { readonly [encodedAs]: S };

/**
 * Encodes an envelope as a MessagePack map with the version `v` in front. Fields that are undefined are left out. Halves of
 * surrogate pairs, which UTF-8 cannot express, become U+FFFD. The bytes are the caller's own. Throws an Error when the
 * envelope nests deeper than readers allow.
 */
export function encodeEnvelope<S extends z.ZodType>(_schema: S, envelope: z.input<S>): Encoded<S> {
  const whole = { v: busVersion, ...(envelope as object) };
  const data = encoder.encode(whole);
  return (isWellFormed(whole) ? data : encoder.encode(repair(whole))) as Encoded<S>;
}

/** Throws RangeError, with the field and its limit, for an envelope that its readers would refuse. */
export function checkEnvelope(schema: z.ZodType, envelope: object): void {
  const { error } = schema.safeParse(envelope);
  if (error !== undefined) throw new RangeError(describeIssue(error).problem);
}

/**
 * Decodes and checks a bus message. Throws `newer-version` when its major version is newer than this reader's,
 * `bad-envelope` naming the field when it is malformed. Unknown fields are ignored. Binary fields are views into `data`.
 */
export function decodeEnvelope<S extends z.ZodType>(schema: S, data: Uint8Array): z.infer<S> {
  const usual = usualReaders.get(schema)?.(data);
  if (usual !== undefined) return usual as z.infer<S>;
  checkMessagePack(data);
  let value: unknown;
  try {
    value = decoder.decode(data);
  } catch (cause) {
    throw new ProtocolError("bad-envelope", "envelope", "the message is not MessagePack", { cause });
  }
  checkVersion(value);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { field, problem } = describeIssue(result.error);
  throw new ProtocolError("bad-envelope", field, problem);
}

/** Names the first field beyond its limit, and the limit. */
function describeIssue({ issues: [issue] }: z.ZodError) {
  const field = namePath(issue?.path, "envelope");
  return { field, problem: `${field}: ${issue?.message ?? "invalid"}` };
}

/** True if every text in a value can be written as UTF-8. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (!isContainer(value)) return true;
  for (const key in value) if (!isWellFormed(value[key]) || !key.isWellFormed()) return false;
  return true;
}

function repair(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(repair);
  if (!isContainer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), repair(inner)]));
}

/** True for a map or a list. Bytes and dates are values. */
function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !(value instanceof Date);
}

function checkVersion(value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ProtocolError("bad-envelope", "envelope", "the message is not a map");
  }
  const v = "v" in value ? value.v : undefined;
  if (v === busVersion) return;
  if (typeof v === "number" && v > busVersion) {
    throw new ProtocolError("newer-version", "v", `version ${v} is newer than ${busVersion}`);
  }
  throw new ProtocolError("bad-envelope", "v", `v: expected ${busVersion}`);
}
