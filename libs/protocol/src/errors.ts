/**
 * An error about what others have sent, with the first `frames` of its stack, none by default. Who sends something wrong may
 * send much of it. A stack then costs more than all the rest, and tells nothing about the sender.
 */
export abstract class InputError extends Error {
  constructor(message: string, options?: ErrorOptions, frames = 0) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = frames;
    super(message, options);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * Input that breaks the protocol. `code` is stable and documented in docs/protocol.md. `field` names the offending field,
 * and the message names the limit. Neither quotes a value.
 */
export class ProtocolError extends InputError {
  override readonly name = "ProtocolError";
  readonly code: ProtocolErrorCode;
  readonly field: string;
  constructor(code: ProtocolErrorCode, field: string, message: string, options?: ErrorOptions) {
    // A program's own code may have made an invalid id.
    super(message, options, code === "bad-id" ? Error.stackTraceLimit : 0);
    this.code = code;
    this.field = field;
  }
}

const fieldName = /^[A-Za-z_][\w-]{0,31}$/;
const maxPath = 128;

/**
 * Writes the path of a field, or `whole` for an empty one, in at most 128 characters. Keys of maps are the sender's own:
 * one that does not look like a field's name becomes `*`.
 */
export function namePath(path: readonly PropertyKey[] | undefined, whole: string): string {
  const names = path?.map((key) => (typeof key === "number" || fieldName.test(String(key)) ? String(key) : "*"));
  return names?.join(".").slice(0, maxPath) || whole;
}

/** The codes for refused input. docs/protocol.md has the same table. */
export const protocolErrors = {
  "bad-id": "An identifier has an illegal character or length.",
  "bad-json": "A text frame is not a JSON object with a string `type`.",
  "bad-message": "A message lacks a field or has one of the wrong type.",
  "bad-frame": "A binary frame's header is truncated or its length does not match.",
  "bad-mqtt": "A packet of MQTT is malformed, longer than its limit, or out of place.",
  "bad-envelope": "A bus message is not the MessagePack map of its channel.",
  "newer-version": "A bus message has a newer major version than this reader.",
} as const;
export type ProtocolErrorCode = keyof typeof protocolErrors;
