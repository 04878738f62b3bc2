/** Why a gateway closes a device's socket: one table of data. `reconnect` tells whether trying again at once helps. */
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
    meaning: "Nothing came from the device for the idle time-out.",
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
} as const;
export type CloseName = keyof typeof closeCodes;

/** Why an upgrade or a request is refused: HTTP status and a stable name. */
export const refusals = {
  "bad-device-id": { status: 400, meaning: "The device id is missing or illegal." },
  "bad-protocol-version": { status: 400, meaning: "Protocol-Version is not 1, 2 or 3." },
  unauthorized: { status: 401, meaning: "No token, or a wrong one." },
  forbidden: {
    status: 403,
    meaning: "The token does not speak for this device, or the Origin or Host is not allowed.",
  },
  "not-found": { status: 404, meaning: "No such path." },
  "method-not-allowed": { status: 405, meaning: "The path does not take this method." },
  "bad-request": { status: 400, meaning: "The request is no HTTP, or broke off." },
  "body-too-big": { status: 413, meaning: "The request's body is over 64 KiB." },
  "bad-body": { status: 400, meaning: "The request's body is not the JSON that it should be." },
  "too-many": { status: 503, meaning: "The gateway holds as many connections as it may." },
  "bus-away": { status: 503, meaning: "NATS cannot be reached." },
  draining: { status: 503, meaning: "The gateway is being drained." },
} as const;
export type Refusal = keyof typeof refusals;

/** Why a frame was not passed on; every drop has one of these names and a counter. */
export const dropReasons = {
  malformed: "A text frame that is no valid message.",
  "unknown-type": "A message of a type that the gateway does not know.",
  "bad-frame": "A binary frame whose header does not parse.",
  empty: "A binary frame without a payload.",
  oversize: "An audio frame from a device over 8 KiB, or a text for a device over 8 KiB.",
  "before-hello": "A frame that came before the hello.",
  "second-hello": "A hello after the first.",
  rate: "A frame over the session's budget.",
  "bus-away": "Audio that grew old while NATS was away.",
  "bus-full": "A text frame for which the queue to NATS had no room.",
  fenced: "A frame of a turn at or below the fence.",
  superseded: "A frame of a reply older than one already started.",
  "other-session": "A frame for another session.",
  "future-origin": "A frame whose origin or fence is above the session's own seq.",
  duplicate: "A frame at or below the last one accepted.",
  "out-of-order": "A reply's frame ahead of one that is missing; the missing ones are asked for again.",
  "stale-attempt": "A frame of an attempt that was taken over.",
  "reply-full": "A frame beyond the 60 s that a gateway holds of a reply.",
  overloaded: "A frame for which the process had no room; it was passed on, but cannot be had again.",
  "bad-envelope": "A bus message that is malformed.",
  "newer-version": "A bus message of a newer major version.",
  "no-session": "A frame for a device that has no open session here.",
  slow: "A live frame for a device that does not read.",
} as const;
export type DropReason = keyof typeof dropReasons;
