import { z } from "zod";
import { line, time } from "./envelopes/fields.ts";

/** The SHA-256 of a device's own token in base64url, and its times in ms since the epoch. */
export const RegisteredToken = z.object({
  hash: z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be a SHA-256 in base64url"),
  renewAt: time,
  until: time,
});
export type RegisteredToken = z.infer<typeof RegisteredToken>;

/**
 * An operator's decisions about a device, and the tokens of its own, the newest first. Without `allowed` the configuration
 * of the gateways decides. `since` is the time of the registration in ms since the epoch. The device's group stands in its
 * profile, and what gateways saw of it in its DeviceRecord.
 */
export const RegisteredDevice = z.object({
  name: z.string().min(1).max(64).optional(),
  allowed: z.boolean().optional(),
  note: line.optional(),
  // After a renewal the device may still hold the token before.
  tokens: z.array(RegisteredToken).max(2).optional(),
  since: time,
});
export type RegisteredDevice = z.infer<typeof RegisteredDevice>;
