import { z } from "zod";
import { OutText } from "../device/outbound.ts";
import { attempt, count, name, packet, packetMs, reply, ReplyOutcome, seq } from "./fields.ts";
import { unionByType } from "../union.ts";

/** The bodies of control frames to the gateway, by `type`. */
export const outControls = {
  /** The user began to speak while a reply plays: the new speech starts right after `seq`. */
  "barge-in": z.object({ type: z.literal("barge-in"), seq }),
  /** The user started or stopped speaking. `origin` names a final that will be answered although no `stt` was sent. */
  "user-speaking": z.object({ type: z.literal("user-speaking"), seq, on: z.boolean(), origin: seq.optional() }),
  /**
   * A sign of the recognizer that follows the listen `seq`. `on`: every 5 s. `over`: it ended the listen for good. `again`:
   * the gateway must open the listen again.
   */
  listening: z.object({ type: z.literal("listening"), seq, state: z.enum(["on", "over", "again"]) }),
  /**
   * A sign of life: somebody works on the turn `origin`, or on the announcement `reply`, of the envelope. `waits`: the turn
   * waits for its place in a queue, and will be late.
   */
  working: z.object({ type: z.literal("working"), waits: z.boolean().optional() }),
  /** No program will answer the turn `origin` of the envelope: there is more work than the programs can do. */
  shed: z.object({ type: z.literal("shed") }),
  /** The conversation is over: the session is to be closed once the reply of the turn `origin` of the envelope was played. */
  close: z.object({ type: z.literal("close") }),
  /** The end of a reply and nothing else (with `end`). */
  end: z.object({ type: z.literal("end") }),
} as const;
/** The body of an outbound control frame. */
export const OutControl = unionByType(outControls);
export type OutControl = z.infer<typeof OutControl>;

const outbound = {
  session: name.optional(),
  origin: seq.optional(),
  reply: reply.optional(),
  attempt: attempt.optional(),
  sentence: count.optional(),
  n: count.optional(),
  /** The frame is the last one of its sentence, or of the whole reply. */
  end: z.enum(["sentence", "reply"]).optional(),
  /** With the end of a reply that is no answer. */
  outcome: ReplyOutcome.optional(),
  /** The engine makes the same frames again at the next attempt. */
  repeatable: z.boolean().optional(),
  /** The name of the synthesizer, where its sound begins. */
  engine: name.optional(),
};
/** One Opus packet for the device, `duration` in ms; without `n` it is live. */
export const OutAudio = z.object({
  ...outbound,
  kind: z.literal("audio"),
  duration: packetMs,
  body: packet,
});
export type OutAudio = z.infer<typeof OutAudio>;
/** A JSON message for the device; the gateway adds `session_id`. */
export const OutTextFrame = z.object({ ...outbound, kind: z.literal("text"), body: OutText });
export type OutTextFrame = z.infer<typeof OutTextFrame>;
/** A message for the gateway itself. */
export const OutControlFrame = z.object({ ...outbound, kind: z.literal("control"), body: OutControl });
export type OutControlFrame = z.infer<typeof OutControlFrame>;
/** `device.<id>.out`, `fleet.out`, `fleet.<group>.out`: a frame for the device; without `session` it is for the open one. */
export const Outbound = z.discriminatedUnion("kind", [OutAudio, OutTextFrame, OutControlFrame]);
export type Outbound = z.infer<typeof Outbound>;
