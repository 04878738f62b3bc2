import { createHmac } from "node:crypto";
import type { RegisteredToken } from "@voxbus/protocol";
import { hashSecret, isSameSecret } from "@voxbus/subscriber";
import type { Identity } from "../http/auth.ts";

/** Characters of a client id from which a token can be made. A shorter one could be guessed. */
export const leastClientLength = 16;

/**
 * Makes the token of a device's own. Its secret is the client id, a random UUID that the device keeps. So the device gets
 * the same token again without a write, and a registry that holds only the hash can tell whether a client is the right one.
 */
function makeToken({ device, client }: Identity, until: number): string {
  return createHmac("sha256", client).update(`voxbus ${device} ${until}`).digest("base64url");
}

/** Makes the registry's entry for a token that is valid for `ttlMs` from `now`, ms since the epoch. */
export function registerToken(identity: Identity, now: number, ttlMs: number): RegisteredToken {
  const until = now + ttlMs;
  return { hash: hashSecret(makeToken(identity, until)), renewAt: now + Math.floor(ttlMs / 2), until };
}

/** Gives the newest of the tokens that belong to an identity, and the token itself. Undefined if none does. */
export function findToken(
  identity: Identity,
  tokens: readonly RegisteredToken[] = [],
): { readonly token: string; readonly entry: RegisteredToken } | undefined {
  if (identity.client.length < leastClientLength) return undefined;
  for (const entry of tokens) {
    const token = makeToken(identity, entry.until);
    if (isSameSecret(hashSecret(token), entry.hash)) return { token, entry };
  }
  return undefined;
}
