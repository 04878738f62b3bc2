import type { TurnPlayed } from "./envelopes/turns.ts";

/** Reasons for closing a device's socket. `reconnect`: the device may try again at once. */
export const closeCodes = {
  done: {
    code: 1000,
    reason: "done",
    reconnect: false,
    meaning: "The conversation is over, or the device said goodbye.",
  },
  heartbeat_timeout: {
    code: 1001,
    reason: "heartbeat_timeout",
    reconnect: true,
    meaning: "Nothing came from the device for the idle timeout.",
  },
  frame_too_big: {
    code: 1009,
    reason: "frame_too_big",
    reconnect: false,
    meaning: "A WebSocket message was longer than the limit.",
  },
  invalid_text: {
    code: 1007,
    reason: "invalid_text",
    reconnect: false,
    meaning: "A text frame was not UTF-8.",
  },
  invalid_frame: {
    code: 1002,
    reason: "invalid_frame",
    reconnect: false,
    meaning: "The WebSocket protocol itself was broken.",
  },
  fragmented: {
    code: 1008,
    reason: "fragmented",
    reconnect: false,
    meaning: "A message came in too many parts.",
  },
  error: {
    code: 1011,
    reason: "error",
    reconnect: true,
    meaning: "The gateway failed in handling this session. Its log names the cause.",
  },
  restart: { code: 1012, reason: "restart", reconnect: true, meaning: "The gateway stops; another one answers." },
  overloaded: { code: 1013, reason: "overloaded", reconnect: true, meaning: "The gateway cannot take more now." },
  hello_timeout: { code: 4000, reason: "hello_timeout", reconnect: true, meaning: "No hello came in time." },
  replaced: {
    code: 4001,
    reason: "replaced",
    reconnect: false,
    meaning: "A newer session of the same device took over.",
  },
  disconnected: { code: 4002, reason: "disconnected", reconnect: false, meaning: "An operator closed the session." },
  slow: { code: 4003, reason: "slow", reconnect: true, meaning: "The device could not be written to." },
  flood: { code: 4004, reason: "flood", reconnect: true, meaning: "The device kept sending more than its budget." },
  unregistered: {
    code: 4005,
    reason: "unregistered",
    reconnect: true,
    meaning: "The session's presence could not be written, or was removed.",
  },
  disabled: { code: 4006, reason: "disabled", reconnect: false, meaning: "An operator disabled the device." },
} as const;
export type CloseName = keyof typeof closeCodes;

/** Reasons for refusing an upgrade or a request, each with its HTTP status. */
export const refusals = {
  "bad-device-id": { status: 400, meaning: "The device id is missing or illegal." },
  "bad-protocol-version": { status: 400, meaning: "Protocol-Version is not 1, 2 or 3." },
  unauthorized: { status: 401, meaning: "No token, or not one of this device." },
  "too-many-guesses": { status: 429, meaning: "Too many wrong tokens came from this address. Try again later." },
  forbidden: { status: 403, meaning: "The Origin or Host is not allowed." },
  disabled: { status: 403, meaning: "An operator has disabled the device." },
  "not-found": { status: 404, meaning: "No such path." },
  "method-not-allowed": { status: 405, meaning: "The path does not take this method." },
  "upgrade-required": { status: 426, meaning: "The path is the WebSocket's, and the request asks for no upgrade." },
  "bad-request": { status: 400, meaning: "The request is not HTTP or MQTT, or it broke off." },
  "body-too-big": { status: 413, meaning: "The request's body is over 64 KiB." },
  "bad-body": { status: 400, meaning: "The request's body is not the expected JSON." },
  internal: { status: 500, meaning: "The gateway failed; its log says why." },
  "too-many": { status: 503, meaning: "The gateway has reached a limit of connections." },
  "too-many-waiting": { status: 503, meaning: "Too many devices wait for their activation." },
  "bus-away": { status: 503, meaning: "NATS cannot be reached, or does not store." },
  draining: { status: 503, meaning: "The gateway is being drained." },
  "out-of-memory": { status: 503, meaning: "The gateway is over its memory threshold." },
  overloaded: { status: 503, meaning: "The gateway's event loop is over its delay threshold." },
} as const;
export type Refusal = keyof typeof refusals;

/** `fault`: needs attention (a limit, an error, a lost connection). `expected`: normal, as when speech is interrupted. */
type DropClass = "fault" | "expected";

/** `silent`: there was nothing to speak of. `cut`: the user or the device ended it. `fault`: it could not be answered. */
type OutcomeClass = "answered" | "silent" | "cut" | "fault";

/** The outcomes of turns. An event has each of them as its reason, except `played`. */
export const turnOutcomes = {
  played: { class: "answered", meaning: "The answer was played to its end." },
  "nothing-heard": {
    class: "silent",
    meaning: "Nothing was said, or a sound without words. The device goes back to waiting.",
  },
  "nothing-to-say": {
    class: "silent",
    meaning: "The answer has nothing that can be spoken, such as an emoji alone. The device is released.",
  },
  failed: {
    class: "fault",
    meaning: "A recognizer, a model or a voice failed. An apology took the place of the answer, or of a part of it.",
  },
  deadline: { class: "fault", meaning: "No reply came in time. The gateway apologized." },
  dry: { class: "fault", meaning: "The reply broke off. The gateway apologized." },
  shed: { class: "fault", meaning: "There was more work than the programs can do. The device was told." },
  fenced: { class: "cut", meaning: "The user interrupted it." },
  superseded: { class: "cut", meaning: "A later turn took its place before it had a reply." },
  closed: { class: "cut", meaning: "The session ended." },
  "no-channel": {
    class: "silent",
    meaning: "The device is idle and has no audio channel. An announcement was shown as text.",
  },
} as const satisfies Readonly<Record<string, { readonly class: OutcomeClass; readonly meaning: string }>>;
export type TurnOutcome = keyof typeof turnOutcomes;

/** Gives the outcome of a turn, or of an announcement, from its event. */
export function outcomeOf({ complete, reason }: Pick<TurnPlayed, "complete" | "reason">): TurnOutcome {
  const name = reason ?? (complete ? "played" : "failed");
  return Object.hasOwn(turnOutcomes, name) ? (name as TurnOutcome) : "failed";
}

/** Reasons for dropping a frame. Every drop is counted under one of these names. */
export const dropReasons = {
  malformed: { class: "fault", meaning: "A text frame that is not a valid message." },
  "unknown-type": { class: "expected", meaning: "A message of a type that the gateway does not know." },
  "odd-field": {
    class: "expected",
    meaning: "A field of a hello or an abort that is malformed. The rest of the message is taken.",
  },
  "bad-frame": { class: "fault", meaning: "A binary frame whose header does not parse." },
  empty: { class: "expected", meaning: "A binary frame without a payload." },
  oversize: {
    class: "fault",
    meaning: "An audio frame from a device over 8 KiB, or a text for a device over 8 KiB.",
  },
  "before-hello": { class: "expected", meaning: "A frame that came before the hello." },
  "second-hello": { class: "expected", meaning: "A hello after the first." },
  "after-end": { class: "expected", meaning: "A frame that came after the session's end." },
  rate: { class: "fault", meaning: "Audio over the session's budget." },
  "turn-rate": { class: "fault", meaning: "A turn over the device's budget of turns per minute." },
  "bus-away": { class: "fault", meaning: "Audio that became too old while NATS was away." },
  "bus-full": { class: "fault", meaning: "A text or control frame that did not fit into the queue to NATS." },
  fenced: { class: "expected", meaning: "A frame of a turn at or below the fence." },
  superseded: { class: "expected", meaning: "A frame of a reply older than one that has started." },
  "other-session": { class: "expected", meaning: "A frame for another session." },
  "future-origin": {
    class: "expected",
    meaning: "A frame whose origin or fence is above the session's own seq.",
  },
  duplicate: { class: "expected", meaning: "A frame at or below the last accepted one." },
  "out-of-order": {
    class: "expected",
    meaning: "A frame of a reply ahead of a missing one; the gateway requests a resend.",
  },
  "stale-attempt": { class: "expected", meaning: "A frame of an attempt that a later one replaced." },
  "reply-full": {
    class: "fault",
    meaning: "A frame beyond the 60 s that a gateway holds of one reply, or beyond its memory budget.",
  },
  overloaded: {
    class: "fault",
    meaning: "A frame that was published, but is not kept for replay because memory is used up.",
  },
  "bad-envelope": { class: "fault", meaning: "A malformed bus message." },
  "newer-version": { class: "fault", meaning: "A bus message of a newer major version." },
  "handler-failed": { class: "fault", meaning: "A bus message whose handler failed." },
  "handler-timeout": { class: "fault", meaning: "A bus message whose handler took longer than it may." },
  "queue-full": { class: "fault", meaning: "A bus message that found the queue of its handler full." },
  "kept-full": { class: "fault", meaning: "An announcement to keep for a device that has as many as may wait." },
  "too-old": { class: "expected", meaning: "A bus message that is older than its reader wants." },
  "bad-packet": { class: "expected", meaning: "An Opus packet that does not decode." },
  "no-session": { class: "expected", meaning: "A frame for a device that has no open session on this gateway." },
  slow: { class: "fault", meaning: "A live frame for a device that does not read." },
  "no-channel": {
    class: "expected",
    meaning: "Sound, or a frame of a turn, for a device whose audio channel is closed.",
  },
  "udp-malformed": { class: "expected", meaning: "A datagram that is no audio, or whose size is wrong." },
  "udp-unknown": { class: "expected", meaning: "A datagram of no open audio channel." },
  "udp-foreign": { class: "expected", meaning: "A datagram that comes from another address than its device." },
  "udp-replay": { class: "expected", meaning: "A datagram that is not newer than the last one: late, or sent again." },
  "udp-jump": { class: "expected", meaning: "A datagram that is further ahead than a device can be." },
  "udp-unsent": { class: "expected", meaning: "A datagram that the network did not take." },
} as const satisfies Readonly<Record<string, { readonly class: DropClass; readonly meaning: string }>>;
export type DropReason = keyof typeof dropReasons;
