import { z } from "zod";
import { Emotion } from "../device/outbound.ts";
import { maxKeepMs } from "../kept-messages.ts";
import { at, attempt, count, line, name, reply, seq, text, time, language, ReplyOutcome } from "./fields.ts";

/**
 * `device.<id>.heard` and `.heard.partial`: a transcript. `listen` is the seq of its opening frame, `utterance` counts from
 * 1 in the session, `from` and `origin` are the first and the last voiced frame. An empty text has a reason:
 * `nothing-heard`, `unrecognized` (words that the recognizer does not know), or `failed`. `engine` names the recognizer.
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
  engine: name.optional(),
});
export type Heard = z.infer<typeof Heard>;

/**
 * `device.<id>.say` and `.say.open`: one sentence of a reply, numbered from 0, the last one marked (its text may be
 * empty: an end mark). Without `session` and `origin` it is an announcement. `outcome` marks the last sentence of a reply
 * that is no answer. `keepMs`: the announcement is kept for its device, which may be away, for this time.
 */
export const Say = z.object({
  session: name.optional(),
  origin: seq.optional(),
  reply,
  attempt,
  sentence: count.describe("0 on say.open, from 1 on say"),
  text,
  emotion: Emotion.optional(),
  language: language.optional(),
  last: z.boolean(),
  outcome: ReplyOutcome.optional(),
  /** The name of the engine that wrote it. */
  engine: name.optional(),
  keepMs: z.number().int().min(1).max(maxKeepMs).optional(),
});
export type Say = z.infer<typeof Say>;
/** The sentence 0 of a reply, which begins the work of one tts. */
export const SayOpen = Say.extend({ sentence: count.max(0) });
/** Each sentence after it. */
export const SayNext = Say.extend({ sentence: count.min(1) });

/** The states of a session, as presence and events name them. */
export const SessionState = z.enum(["active", "idle", "suspicious", "closed"]);
export type SessionState = z.infer<typeof SessionState>;

/** The audio channel of a device that is reached while it is idle. It is open during a conversation. */
export const AudioState = z.enum(["open", "closed"]);
export type AudioState = z.infer<typeof AudioState>;

/**
 * The receipt of what an idle device was sent: the device answered, did not answer within 5 s, or its session ended before
 * that. `reply` is that of the announcement, or of the message's envelope.
 */
export const Receipt = z.object({ reply: reply.optional(), result: z.enum(["delivered", "unanswered", "expired"]) });
export type Receipt = z.infer<typeof Receipt>;
/** The time after which no receipt comes any more, ms: a gateway reports after 5 s that a device did not answer. */
export const receiptReportMs = 7000;

/** The end of a turn's reply, or of an announcement (without `origin`): the last frame played, and counts of frames not played. */
export const TurnPlayed = z.object({
  origin: seq.optional(),
  reply: reply.optional(),
  /** The last (sentence, n) written to the socket; absent when none was. */
  played: z.tuple([count, count]).optional(),
  /** The last sentence whose sound was sent, or which was shown in place of it; absent when none was. */
  sentence: count.optional(),
  complete: z.boolean(),
  /** The outcome (`turnOutcomes`) of everything but an answer that was played to its end. */
  reason: line.optional(),
  fenced: count,
  dropped: count,
  late: count,
  /** The name of the synthesizer that spoke last. */
  engine: name.optional(),
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
  /** The audio channel was opened or closed. */
  audio: AudioState.optional(),
  reason: line.optional(),
  code: z.number().int().min(0).max(65_535).optional(),
  /** Average round trip of the session's pings, ms; absent before the first. */
  rtt: time.optional(),
  turn: TurnPlayed.optional(),
  receipt: Receipt.optional(),
});
export type Event = z.infer<typeof Event>;
