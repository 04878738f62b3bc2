import { createHash, timingSafeEqual } from "node:crypto";

/** Gives the token of an Authorization header, or an empty text if it has none. */
export function readBearer(header: string | undefined): string {
  return /^Bearer +(.+)$/i.exec(header ?? "")?.[1] ?? "";
}

/**
 * Compares two secrets. Their digests have one length, so the time that it takes does not depend on them, not even on their
 * lengths.
 */
export function isSameSecret(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted));
}

/** Gives the SHA-256 of a secret in base64url, to be stored in its place. */
export function hashSecret(secret: string): string {
  return digest(secret).toString("base64url");
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
