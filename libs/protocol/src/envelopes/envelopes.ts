import { z } from "zod";
import { Emotion, OutText } from "../device/outbound.ts";
import { isName } from "../ids.ts";

/** The major version of the bus contract that this library speaks. */
export const busVersion = 1;

const v = z.literal(busVersion);
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "must be binary");
const session = z.string().refine(isName, "must be 1 to 64 characters of A-Z a-z 0-9 _ -");
const gateway = session;
const seq = z.number().int().min(1);
const origin = seq;
const at = z.number().int().min(0);
const count = z.number().int().min(0);
const reply = z.string().min(1).max(160);
const text = z.string().max(65_536);

/** How a listen ends: by voice detection (`auto`, `realtime`) or by the button (`manual`). */
export const ListenMode = z.enum(["auto", "manual", "realtime"]);
export type ListenMode = z.infer<typeof ListenMode>;

/** The name of a reply's frame: counts from 0, except `attempt` from 1. */
export const FrameName = z.object({ attempt: z.number().int().min(1), sentence: count, n: count });
export type FrameName = z.infer<typeof FrameName>;

/** The bodies of `in.control` and `in.control.open`, by `type`. */
export const inControls = {
  /** The session began; what its hello said. `frameDuration` in ms. */
  opened: z.object({
    type: z.literal("opened"),
    gateway,
    protocol: z.union([z.literal(1), z.literal(2), z.literal(3)]),
    features: z.record(z.string(), z.unknown()),
    sampleRate: z.number().int(),
    frameDuration: z.number(),
  }),
  /** The session ended. */
  closed: z.object({ type: z.literal("closed"), code: z.number().int(), reason: z.string() }),
  /** Capture starts (on `in.control.open`); `gateway` answers replays. */
  listen: z.object({ type: z.literal("listen"), mode: ListenMode, gateway }),
  /** The button was released. */
  stop: z.object({ type: z.literal("stop") }),
  /** A wake word was detected by the device. */
  wake: z.object({ type: z.literal("wake"), text }),
  /** The user wants silence: the fence rises to this frame's own seq. */
  abort: z.object({ type: z.literal("abort"), reason: z.string().optional() }),
  /** The session's fence now stands at `fence`; `reply` names an announcement that it ended. */
  fence: z.object({ type: z.literal("fence"), fence: count, reply: reply.optional() }),
  /** Inbound frames that were dropped before they were published, `from` to `to` in ms since the epoch, with how many. */
  gap: z.object({ type: z.literal("gap"), frames: seq, from: at, to: at, reason: z.string() }),
  /** The gateway misses frames of a reply: all after `after` again, or from the first one. */
  replay: z.object({ type: z.literal("replay"), reply, origin: origin.optional(), after: FrameName.optional() }),
  /** A JSON-RPC message of the device. */
  mcp: z.object({ type: z.literal("mcp"), payload: z.record(z.string(), z.unknown()) }),
  /** Legacy descriptors and states. */
  iot: z.object({
    type: z.literal("iot"),
    descriptors: z.array(z.unknown()).optional(),
    states: z.array(z.unknown()).optional(),
  }),
  /** The device says that it closes. */
  goodbye: z.object({ type: z.literal("goodbye") }),
} as const;
/** The body of an inbound control frame. */
export const InControl = z.discriminatedUnion("type", [
  inControls.opened, inControls.closed, inControls.listen, inControls.stop, inControls.wake, inControls.abort,
  inControls.fence, inControls.gap, inControls.replay, inControls.mcp, inControls.iot, inControls.goodbye,
]); // prettier-ignore
export type InControl = z.infer<typeof InControl>;

const inbound = { v, session, seq, at };
/** One Opus packet of a device. */
export const InAudio = z.object({ ...inbound, kind: z.literal("audio"), body: bytes });
export type InAudio = z.infer<typeof InAudio>;
/** Typed text, or text the device recognised itself. */
export const InText = z.object({ ...inbound, kind: z.literal("text"), body: text });
export type InText = z.infer<typeof InText>;
/** A control frame of a device. */
export const InControlFrame = z.object({ ...inbound, kind: z.literal("control"), body: InControl });
export type InControlFrame = z.infer<typeof InControlFrame>;
/** `device.<id>.in.*`: a published inbound frame; `seq` counts all kinds together from 1, `at` is ms since the epoch. */
export const Inbound = z.discriminatedUnion("kind", [InAudio, InText, InControlFrame]);
export type Inbound = z.infer<typeof Inbound>;

/**
 * `device.<id>.heard` and `.hearing`: a transcript. `listen` is the seq of its opening frame, `utterance` counts from
 * 1 in the session, `from` and `origin` are the first and the last voiced frame. Speech that was rejected has an empty
 * text and a reason.
 */
export const Heard = z.object({
  v,
  session,
  listen: seq,
  utterance: seq,
  from: seq,
  origin,
  text,
  language: z.string(),
  confidence: z.number().min(0).max(1).optional(),
  reason: z.enum(["unrecognised", "silence", "failed"]).optional(),
});
export type Heard = z.infer<typeof Heard>;

/**
 * `device.<id>.say` and `.say.open`: one sentence of a reply, numbered from 0, the last one marked (its text may be
 * empty: an end mark). Without `session` and `origin` it is an announcement.
 */
export const Say = z.object({
  v,
  session: session.optional(),
  origin: origin.optional(),
  reply,
  attempt: z.number().int().min(1),
  sentence: count,
  text,
  emotion: Emotion.optional(),
  language: z.string().optional(),
  last: z.boolean(),
});
export type Say = z.infer<typeof Say>;

/** The bodies of control frames to the gateway, by `type`. */
export const outControls = {
  /** A barge-in: the new speech began right behind `seq`. */
  fence: z.object({ type: z.literal("fence"), seq }),
  /** The user speaks, or no longer; `origin` names a final that will be answered though no `stt` was sent. */
  hearing: z.object({ type: z.literal("hearing"), seq, on: z.boolean(), origin: origin.optional() }),
  /** Nothing but the end of a reply (with `end`). */
  end: z.object({ type: z.literal("end") }),
} as const;
/** The body of an outbound control frame. */
export const OutControl = z.discriminatedUnion("type", [outControls.fence, outControls.hearing, outControls.end]);
export type OutControl = z.infer<typeof OutControl>;

const outbound = {
  v,
  session: session.optional(),
  origin: origin.optional(),
  reply: reply.optional(),
  attempt: z.number().int().min(1).optional(),
  sentence: count.optional(),
  n: count.optional(),
  /** The frame is the last one of its sentence, or of the whole reply. */
  end: z.enum(["sentence", "reply"]).optional(),
  /** The engine makes the same frames again at the next attempt. */
  repeatable: z.boolean().optional(),
};
/** One Opus packet for the device, `duration` in ms; without `n` it is live. */
export const OutAudio = z.object({
  ...outbound,
  kind: z.literal("audio"),
  duration: z.number().min(2.5).max(120),
  body: bytes,
});
export type OutAudio = z.infer<typeof OutAudio>;
/** A JSON message for the device; the gateway adds `session_id`. */
export const OutTextFrame = z.object({ ...outbound, kind: z.literal("text"), body: OutText });
export type OutTextFrame = z.infer<typeof OutTextFrame>;
/** A message for the gateway itself. */
export const OutControlFrame = z.object({ ...outbound, kind: z.literal("control"), body: OutControl });
export type OutControlFrame = z.infer<typeof OutControlFrame>;
/** `device.<id>.out`, `fleet.out`, `fleet.<group>.out`: a frame for the device; without `session` for whichever is open. */
export const Outbound = z.discriminatedUnion("kind", [OutAudio, OutTextFrame, OutControlFrame]);
export type Outbound = z.infer<typeof Outbound>;

/** The states of a session, as presence and events name them. */
export const SessionState = z.enum(["active", "idle", "suspicious", "closed"]);
export type SessionState = z.infer<typeof SessionState>;

/** How a reply ended: what was played last, and what was not. */
export const TurnPlayed = z.object({
  origin: origin.optional(),
  reply: reply.optional(),
  /** The last (sentence, n) written to the socket; absent when nothing was. */
  played: z.tuple([count, count]).optional(),
  complete: z.boolean(),
  /** Why it is not complete: the drop reason or `fenced`, `superseded`, `deadline`, `dry`, `closed`. */
  reason: z.string().optional(),
  fenced: count,
  dropped: count,
  late: count,
  /** ms from the turn's start (stt, text) to the first audio on the socket. */
  firstAudio: z.number().optional(),
});
export type TurnPlayed = z.infer<typeof TurnPlayed>;

/** `device.<id>.event`: a change of state, or the end of a turn. */
export const Event = z.object({
  v,
  session,
  at,
  gateway,
  state: SessionState.optional(),
  reason: z.string().optional(),
  code: z.number().int().optional(),
  /** Average round trip of the session's pings, ms; absent before the first. */
  rtt: z.number().min(0).optional(),
  turn: TurnPlayed.optional(),
});
export type Event = z.infer<typeof Event>;

/** `gateway.<gid>.command`: what one gateway is told to do. */
export const Command = z.object({
  v,
  body: z.discriminatedUnion("type", [
    z.object({ type: z.literal("drain") }),
    z.object({
      type: z.literal("disconnect"),
      device: z.string(),
      session: session.optional(),
      reason: z.enum(["replaced", "requested"]),
    }),
  ]),
});
export type Command = z.infer<typeof Command>;

/** The request on `gateway.<gid>.replay`: frames `from` to `to`, both included; without `to` up to the newest. */
export const ReplayRequest = z.object({ v, session, from: seq, to: seq.optional() });
export type ReplayRequest = z.infer<typeof ReplayRequest>;
/** Its answer: encoded inbound frames in order of seq, and the newest seq that was published; `open` is false when the session is gone. */
export const ReplayAnswer = z.object({ v, session, open: z.boolean(), newest: count, frames: z.array(bytes) });
export type ReplayAnswer = z.infer<typeof ReplayAnswer>;

/** The severities of alerts. */
export const severities = ["low", "medium", "high"] as const;
/** `alert.<severity>`: something an operator should know. */
export const Alert = z.object({
  v,
  id: z.string(),
  at,
  severity: z.enum(severities),
  name: z.string(),
  subject: z.string(),
  message: z.string(),
  resolved: z.boolean(),
});
export type Alert = z.infer<typeof Alert>;

const amounts = z.record(z.string().max(64), z.number());
/**
 * `stats.<program>`: what one process says of itself every few seconds. `rss` and `heap` in bytes, `cpu` in cores used of
 * the `cores` that it could use, `loopDelay` (p99) and `uptime` in ms. `gauges` stand for now, `totals` and `drops` (by
 * reason) count from the start of the process.
 */
export const Stats = z.object({
  v,
  program: session,
  /** A ULID of the process. */
  instance: session,
  /** Of a gateway: its id. */
  id: gateway.optional(),
  state: z.enum(["running", "draining", "stopped"]),
  host: z.string().max(255),
  pid: count,
  at,
  uptime: count,
  rss: count,
  heap: count,
  cpu: z.number().min(0),
  cores: z.number().min(1),
  loopDelay: z.number().min(0),
  gauges: amounts,
  totals: amounts,
  drops: amounts,
});
export type Stats = z.infer<typeof Stats>;

/** Every envelope by the name it has in docs/bus.md. */
export const envelopes = {
  "in.audio": InAudio,
  "in.text": InText,
  "in.control": InControlFrame,
  heard: Heard,
  say: Say,
  out: Outbound,
  event: Event,
  command: Command,
  "replay request": ReplayRequest,
  "replay answer": ReplayAnswer,
  alert: Alert,
  stats: Stats,
} as const;
