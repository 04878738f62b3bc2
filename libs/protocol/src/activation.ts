import { z } from "zod";
import { line, time, word } from "./envelopes/fields.ts";
import { RegisteredToken } from "./registered-device.ts";

/** The lifetime of a code in ms. */
export const activationMs = 600_000;

/**
 * A device that waits until an operator types its code. `token` is its own once it is let in. `challenge` is for boards that
 * have a key. `network` is the name under which limits count its address `remote`. `at` in ms since the epoch.
 */
export const Activation = z.object({
  device: word,
  token: RegisteredToken,
  challenge: word,
  remote: line,
  network: line.optional(),
  board: word.optional(),
  firmware: word.optional(),
  at: time,
});
export type Activation = z.infer<typeof Activation>;
