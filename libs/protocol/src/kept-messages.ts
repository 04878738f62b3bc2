import { z } from "zod";
import { at, count, language, name, reply } from "./envelopes/fields.ts";
import { Emotion } from "./device/outbound.ts";

/** The longest time for which an announcement is kept for a device that is away, ms: 7 days. */
export const maxKeepMs = 7 * 24 * 3_600_000;
/** The most characters of an announcement that is kept. */
export const maxKeptText = 4096;

/** The states of a kept announcement. `told`: the device has played at least its first sentence. */
export const keptStates = ["waiting", "told", "expired"] as const;
export type KeptState = (typeof keptStates)[number];

/**
 * An announcement that is kept for a device until it is told, or until `expiresAt`. `ring` tells that it is being announced, as
 * the reply of this id in this session, since `at`. `missed` tells in which session that failed last.
 */
export const KeptMessage = z.object({
  id: name,
  state: z.enum(keptStates),
  at,
  expiresAt: at,
  /** Absent once it is told or expired. */
  text: z.string().min(1).max(maxKeptText).optional(),
  emotion: Emotion.optional(),
  language: language.optional(),
  ring: z.object({ reply, session: name, at }).optional(),
  missed: z.object({ session: name, at }).optional(),
  endedAt: at.optional(),
  tries: count.default(0),
});
export type KeptMessage = z.infer<typeof KeptMessage>;

/** The announcements that are kept for a device, oldest first: at most 20 that wait, and the 20 that ended last. */
export const KeptMessages = z.object({ messages: z.array(KeptMessage).max(64) });
export type KeptMessages = z.infer<typeof KeptMessages>;
