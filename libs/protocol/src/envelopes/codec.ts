import { Decoder, Encoder } from "@msgpack/msgpack";
import type { z } from "zod";
import { busVersion } from "./envelopes.ts";
import { ProtocolError } from "../errors.ts";
import { checkMessagePack, maxEnvelopeDepth } from "./measure.ts";

// One level more than containers may have: its values.
const encoder = new Encoder({ ignoreUndefined: true, maxDepth: maxEnvelopeDepth + 1 });
const decoder = new Decoder();

/**
 * Encodes an envelope as a MessagePack map; fields that are undefined are left out. The bytes are the caller's own.
 * Throws an Error when it nests deeper than readers allow.
 */
export function encodeEnvelope(envelope: object): Uint8Array {
  return encoder.encode(envelope);
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
  if (
    typeof value === "object" &&
    value !== null &&
    "v" in value &&
    typeof value.v === "number" &&
    value.v > busVersion
  ) {
    throw new ProtocolError("newer-version", "v", `version ${value.v} is newer than ${busVersion}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") || "envelope";
  throw new ProtocolError("bad-envelope", field, `${field}: ${issue?.message ?? "invalid"}`);
}
