import { Decoder, Encoder } from "@msgpack/msgpack";
import type { z } from "zod";
import { namePath, ProtocolError } from "../errors.ts";
import { checkMessagePack, maxEnvelopeDepth } from "./measure.ts";

/** The major version of the bus contract that this library speaks: the field `v` of every message. */
export const busVersion = 1;

// One level more than containers may have, for the values in the deepest one.
const encoder = new Encoder({ ignoreUndefined: true, maxDepth: maxEnvelopeDepth + 1 });
const decoder = new Decoder();

declare const encodedAs: unique symbol;
/** The bytes of an envelope of schema `S`, ready to be sent. */
export type Encoded<S extends z.ZodType> = Uint8Array & { readonly [encodedAs]: S };

/**
 * Encodes an envelope as a MessagePack map with the version `v` in front. Fields that are undefined are left out. The
 * bytes are the caller's own. Throws an Error when the envelope nests deeper than readers allow.
 */
export function encodeEnvelope<S extends z.ZodType>(_schema: S, envelope: z.input<S>): Encoded<S> {
  return encoder.encode({ v: busVersion, ...(envelope as object) }) as Encoded<S>;
}

/**
 * Decodes and checks a bus message. Throws `newer-version` when its major version is newer than this reader's,
 * `bad-envelope` naming the field when it is malformed. Unknown fields are ignored. Binary fields are views into `data`.
 */
export function decodeEnvelope<S extends z.ZodType>(schema: S, data: Uint8Array): z.infer<S> {
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
  const issue = result.error.issues[0];
  const field = namePath(issue?.path, "envelope");
  throw new ProtocolError("bad-envelope", field, `${field}: ${issue?.message ?? "invalid"}`);
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
