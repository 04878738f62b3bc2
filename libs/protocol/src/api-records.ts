import { z } from "zod";
import { at, line, word } from "./envelopes/fields.ts";

/** The rights of the monitor's API, from the least to the most. Each includes those before it. */
export const apiScopes = ["read", "control", "admin"] as const;
export type ApiScope = (typeof apiScopes)[number];

/** A named token of the monitor's API. Only the SHA-256 of its text is kept, in hexadecimal digits. */
export const ApiToken = z.object({
  scope: z.enum(apiScopes),
  hash: word,
  createdAt: at,
  /** Absent: it does not expire. */
  expiresAt: at.optional(),
});
export type ApiToken = z.infer<typeof ApiToken>;

/** A webhook that was set over the monitor's API: where it posts which kinds of event, signed with its secret. */
export const StoredWebhook = z.object({
  url: line,
  kinds: z.array(word).min(1).max(64),
  secret: line,
  createdAt: at,
});
export type StoredWebhook = z.infer<typeof StoredWebhook>;
