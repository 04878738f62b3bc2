import { z } from "zod";
import { Emotion } from "../device/outbound.ts";
import { at, attempt, count, line, name, reply, seq, text, time, language, ReplyOutcome } from "./fields.ts";

/**
 * `device.<id>.heard` and `.heard.partial`: a transcript. `listen` is the seq of its opening frame, `utterance` counts from
 * 1 in the session, `from` and `origin` are the first and the last voiced frame. An empty text has a reason:
 * `nothing-heard`, `unrecognized` (words that the recognizer does not know), or `failed`.
 */
export const Heard = z.object({
  session: name,
  listen: seq,
  utterance: seq,
  from: seq,
  origin: seq,
  text,
  language,
  confidence: z.number().min(0).max(1).optional(),
  reason: z.enum(["nothing-heard", "unrecognized", "failed"]).optional(),
});
export type Heard = z.infer<typeof Heard>;

/**
 * `device.<id>.say` and `.say.open`: one sentence of a reply, numbered from 0, the last one marked (its text may be
 * empty: an end mark). Without `session` and `origin` it is an announcement. `outcome` marks the last sentence of a reply
 * that is no answer.
 */
export const Say = z.object({
  session: name.optional(),
  origin: seq.optional(),
  reply,
  attempt,
  sentence: count,
  text,
  emotion: Emotion.optional(),
  language: language.optional(),
  last: z.boolean(),
  outcome: ReplyOutcome.optional(),
});
export type Say = z.infer<typeof Say>;

/** The states of a session, as presence and events name them. */
export const SessionState = z.enum(["active", "idle", "suspicious", "closed"]);
export type SessionState = z.infer<typeof SessionState>;

/** The end of a turn's reply, or of an announcement (without `origin`): the last frame played, and counts of frames not played. */
export const TurnPlayed = z.object({
  origin: seq.optional(),
  reply: reply.optional(),
  /** The last (sentence, n) written to the socket; absent when none was. */
  played: z.tuple([count, count]).optional(),
  /** The last sentence whose sound was sent; absent when none was. */
  sentence: count.optional(),
  complete: z.boolean(),
  /** The outcome (`turnOutcomes`) of everything but an answer that was played to its end. */
  reason: line.optional(),
  fenced: count,
  dropped: count,
  late: count,
  /** ms from the turn's start (stt, text) to the first audio on the socket. */
  firstAudio: time.optional(),
});
export type TurnPlayed = z.infer<typeof TurnPlayed>;

/** `device.<id>.event`: a session's change of state, or the end of a turn. */
export const Event = z.object({
  session: name,
  at,
  gateway: name,
  state: SessionState.optional(),
  reason: line.optional(),
  code: z.number().int().min(0).max(65_535).optional(),
  /** Average round trip of the session's pings, ms; absent before the first. */
  rtt: time.optional(),
  turn: TurnPlayed.optional(),
});
export type Event = z.infer<typeof Event>;
