import type { Limit } from "./limit.ts";
import { mqttLimits } from "./mqtt-limits.ts";
import { otaLimits } from "./ota-limits.ts";

const atLeastOne = [1, Number.MAX_SAFE_INTEGER] as const;

/** Every limit of the gateway. A new one needs a row here, and code where it applies. */
export const limitTable = {
  // Connections
  connections: {
    variable: "VOXBUS_MAX_CONNECTIONS",
    range: atLeastOne,
    default: 10_000,
    unit: "connections",
    what: "open at once",
    beyond: "refused with 503",
  },
  pending: {
    variable: "VOXBUS_MAX_PENDING",
    range: atLeastOne,
    default: 2000,
    unit: "connections",
    what: "pending: without a hello yet",
    beyond: "refused with 503",
  },
  perAddress: {
    variable: "VOXBUS_MAX_PER_ADDRESS",
    range: atLeastOne,
    default: 1000,
    unit: "connections",
    what: "from one address, or from one /64 network of IPv6",
    beyond: "refused with 503",
  },
  otherConnections: {
    default: 2000,
    unit: "TCP connections",
    what: "open at once besides VOXBUS_MAX_CONNECTIONS",
    beyond: "the oldest without a complete request is dropped, or else the new one",
  },
  otherPerAddress: { default: 200, unit: "TCP connections", what: "the same, of one address", beyond: "the same" },
  connectsPerSecond: {
    variable: "VOXBUS_MAX_CONNECTS_S",
    range: atLeastOne,
    default: 1000,
    unit: "connections",
    what: "accepted per second, twice as many in a burst, half as many of one address",
    beyond: "refused with 503",
  },
  requestMs: {
    default: 10_000,
    unit: "ms",
    what: "for the headers and the body of an HTTP request",
    beyond: "the request is cut off",
  },
  headerBytes: { default: 8192, unit: "bytes", what: "of an HTTP request's headers", beyond: "refused" },
  bodyBytes: { default: 65_536, unit: "bytes", what: "of an HTTP request's body", beyond: "refused with 413" },
  guesses: { default: 30, unit: "wrong tokens", what: "in a row from one address", beyond: "refused with 429" },
  guessMs: { default: 1000, unit: "ms", what: "until an address may guess once more", beyond: "refused with 429" },
  helloMs: {
    variable: "VOXBUS_HELLO_TIMEOUT_MS",
    range: [100, 60_000],
    default: 10_000,
    unit: "ms",
    what: "from the upgrade to the device's hello",
    beyond: "closed with 4000",
  },
  pingMs: {
    variable: "VOXBUS_PING_MS",
    range: [100, 600_000],
    default: 30_000,
    unit: "ms",
    what: "between pings, and without a text or binary frame",
    beyond: "the session is idle",
  },
  suspectMs: {
    variable: "VOXBUS_SUSPECT_MS",
    range: [200, 1_800_000],
    default: 60_000,
    unit: "ms",
    what: "without an inbound byte",
    beyond: "the session is suspicious, and is pinged once more",
  },
  idleTimeoutMs: {
    variable: "VOXBUS_IDLE_TIMEOUT_MS",
    range: [300, 3_600_000],
    default: 90_000,
    unit: "ms",
    what: "without an inbound byte",
    beyond: "closed with 1001",
  },
  lingerMs: {
    default: 2000,
    unit: "ms",
    what: "from our Close frame to the end of the connection",
    // Stock devices neither answer a Close frame nor drop TCP themselves.
    beyond: "TCP is dropped",
  },
  drainMs: {
    default: 20_000,
    unit: "ms",
    what: "for sessions that speak while the gateway drains",
    beyond: "closed with 1012",
  },
  recordsMs: {
    default: 2000,
    unit: "ms",
    what: "for the last device records when the gateway stops",
    beyond: "they are not written",
  },

  ...mqttLimits,

  ...otaLimits,

  // Frames from a device
  messageBytes: {
    // Stock firmware cannot send more.
    default: 65_536,
    unit: "bytes",
    what: "of a WebSocket message from a device",
    beyond: "closed with 1009",
  },
  packetBytes: { default: 8192, unit: "bytes", what: "of an audio packet from a device", beyond: "dropped" },
  messageParts: { default: 64, unit: "frames", what: "that make up one message", beyond: "closed with 1008" },
  messageChunks: {
    // A message of the largest size comes in some 120 TCP segments on a network with small ones.
    default: 1024,
    unit: "reads",
    what: "from the socket until a frame is complete",
    beyond: "closed with 1008",
  },
  framesPerSecond: {
    variable: "VOXBUS_MAX_FRAMES_S",
    range: atLeastOne,
    default: 100,
    unit: "frames",
    what: "of any kind per second from one device, twice as many in a burst",
    beyond: "the gateway pauses reading from the device, and drops the audio that it has read",
  },
  bytesPerSecond: {
    variable: "VOXBUS_MAX_BYTES_S",
    range: [8192, atLeastOne[1]],
    default: 65_536,
    unit: "bytes",
    what: "per second from one device, three times as many in a burst",
    beyond: "the same",
  },
  costPerSecond: {
    // Twenty short texts, or the most frames and half as many texts.
    variable: "VOXBUS_MAX_COST_S",
    range: [1000, atLeastOne[1]],
    default: 5000,
    unit: "µs",
    what: "of estimated CPU time per second for one device's input, three times as many in a burst",
    beyond: "the same",
  },
  floodMs: {
    variable: "VOXBUS_FLOOD_MS",
    range: [100, 600_000],
    default: 10_000,
    unit: "ms",
    what: "that a device exceeds a budget without a pause, or would need to get back into it",
    beyond: "closed with 4004",
  },
  floodPauseMs: { default: 2000, unit: "ms", what: "within all budgets", beyond: "the device's flood is over" },

  turnsPerMinute: {
    variable: "VOXBUS_MAX_TURNS_MIN",
    range: atLeastOne,
    default: 20,
    unit: "turns",
    what: "per minute of one device: typed texts, listens, and transcripts after a listen's first",
    beyond: "dropped, a listen waits; an alert tells the device once a minute",
  },
  knownTurnBudgets: {
    default: 20_000,
    unit: "devices",
    what: "whose turns of the last minute are remembered",
    beyond: "the oldest is forgotten",
  },

  // Frames that wait for NATS, or for a replay
  waitingAudio: {
    default: 100,
    unit: "audio frames",
    what: "of a session that wait for NATS",
    beyond: "the oldest is dropped, and named in a gap",
  },
  waitingTexts: { default: 32, unit: "typed texts", what: "of a session that are not in NATS yet", beyond: "dropped" },
  waitingControls: {
    default: 256,
    unit: "control frames",
    what: "of a session that NATS does not have yet",
    beyond: "closed with 1013",
  },
  bufferedMegabytes: {
    variable: "VOXBUS_MAX_BUFFERED_MB",
    range: atLeastOne,
    default: 1024,
    unit: "megabytes",
    what: "buffered for all devices: replies to play, frames to replay, frames that NATS does not have yet",
    beyond: "dropped, or not kept for replay; a control frame closes its session with 1013",
  },
  memoryMegabytes: {
    variable: "VOXBUS_MAX_MEMORY_MB",
    range: [64, atLeastOne[1]],
    default: 1536,
    unit: "megabytes",
    what: "of objects and buffers in the process",
    beyond: "frames kept for replay are dropped; after a second above it, new devices are refused with 503",
  },
  loopDelayMs: {
    variable: "VOXBUS_MAX_LOOP_DELAY_MS",
    range: [20, 600_000],
    default: 500,
    unit: "ms",
    what: "of delay of the process's event loop, p99 of a second",
    beyond: "after a second above it, new devices are refused with 503",
  },
  wakeMs: { default: 1000, unit: "ms", what: "from a wake word to its listen", beyond: "it was typed text" },
  listenSignMs: {
    default: 15_000,
    unit: "ms",
    what: "without a sign of the recognizer that follows a listen; twice as long each time",
    beyond: "the listen is opened again",
  },
  replayMs: {
    // Whole runs of frames are forgotten, so some stay for 5 s more.
    default: 30_000,
    unit: "ms",
    what: "that a published frame is kept for replay",
    beyond: "forgotten",
  },
  replayBytes: {
    default: 512 * 1024,
    unit: "bytes",
    what: "of a session's published frames kept for replay",
    beyond: "the oldest are forgotten",
  },

  // Frames to a device
  replyMs: {
    default: 60_000,
    unit: "ms",
    what: "of one reply's audio buffered (docs/bus.md, play-out)",
    beyond: "dropped, and asked for again",
  },
  queuedReplies: { default: 8, unit: "replies", what: "of a session that wait to play", beyond: "dropped" },
  knownAnnouncements: {
    default: 32,
    unit: "announcements",
    what: "that a session remembers as played",
    beyond: "the oldest is forgotten",
  },
  pauseMs: {
    variable: "VOXBUS_MAX_PAUSE_MS",
    range: [500, 60_000],
    default: 8000,
    unit: "ms",
    what: "in which a reply pauses because its user seems to speak",
    beyond: "the reply goes on",
  },
  announcementWaitMs: {
    default: 30_000,
    unit: "ms",
    what: "that an announcement waits for the user and for a turn",
    beyond: "played",
  },
  farewellMs: {
    default: 10_000,
    unit: "ms",
    what: "for the farewell of a silent conversation",
    beyond: "closed without it",
  },
  playoutSocketBytes: { default: 8192, unit: "bytes", what: "unsent in a device's socket", beyond: "play-out waits" },
  slowSocketBytes: {
    default: 1_048_576,
    unit: "bytes",
    what: "unsent in a device's socket",
    beyond: "closed with 4003",
  },
  latePongMs: {
    default: 4000,
    unit: "ms",
    what: "that a pong is late while a device is sent sound",
    beyond: "play-out waits",
  },
  slowMs: {
    variable: "VOXBUS_SLOW_MS",
    range: [500, 600_000],
    default: 15_000,
    unit: "ms",
    what: "that a pong is late while a device is sent sound",
    beyond: "closed with 4003",
  },
} as const satisfies Readonly<Record<string, Limit>>;
