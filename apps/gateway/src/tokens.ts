import { parseDeviceId, ProtocolError } from "@voxbus/protocol";
import { z } from "zod";

const minLength = 16;

/** A token of VOXBUS_AUTH_TOKENS. Without a `device` it may speak for any. */
export interface Token {
  readonly device: string | undefined;
  readonly token: string;
}

/** Reads a device id as devices send it. Undefined for an invalid one. */
function readDeviceId(raw: string): string | undefined {
  try {
    return parseDeviceId(raw);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Splits an item at its first `=` if a valid id is before it. */
function readToken(item: string): Token {
  const at = item.indexOf("=");
  const device = at < 0 ? undefined : readDeviceId(item.slice(0, at));
  return { device, token: device === undefined ? item : item.slice(at + 1) };
}

/** Refuses empty and short secrets by their position. */
function checkLengths(kind: string, secrets: readonly string[], context: z.RefinementCtx): void {
  for (const [index, { length }] of secrets.entries()) {
    if (length >= minLength) continue;
    const message = `${kind} ${index + 1} must have at least ${minLength} characters, it has ${length}`;
    context.addIssue({ code: "custom", message });
  }
}

/** Comma-separated `token` or `device-id=token`. Empty and short tokens are refused by their position. */
export const tokenList = z
  .string()
  .transform((value, context) => {
    const tokens = value.split(",").map((item) => readToken(item.trim()));
    checkLengths(
      "token",
      tokens.map(({ token }) => token),
      context,
    );
    return tokens;
  })
  .default([]);

/** Comma-separated keys. Empty and short keys are refused by their position. */
export const keyList = z
  .string()
  .transform((value, context) => {
    const keys = value.split(",").map((key) => key.trim());
    checkLengths("key", keys, context);
    return keys;
  })
  .default([]);

/** Comma-separated device ids as devices send them, or `*`. Invalid ids are refused by their position. */
export const deviceList = z
  .string()
  .transform((value, context) => {
    const items = value.split(",").map((item) => item.trim());
    return items.map((item, index) => {
      const device = item === "*" ? item : readDeviceId(item);
      if (device === undefined)
        context.addIssue({ code: "custom", message: `item ${index + 1} must be a device id or *` });
      return device ?? item;
    });
  })
  .default([]);
