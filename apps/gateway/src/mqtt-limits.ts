import type { Limit } from "./limit.ts";

/** The limits of MQTT and UDP. */
export const mqttLimits = {
  idleConnections: {
    variable: "VOXBUS_MAX_IDLE_CONNECTIONS",
    range: [1, Number.MAX_SAFE_INTEGER],
    default: 10_000,
    unit: "connections",
    what: "of MQTT devices that have no conversation; those that have one count as VOXBUS_MAX_CONNECTIONS",
    beyond: "refused with CONNACK 3",
  },
  soundMs: {
    default: 600_000,
    unit: "ms",
    what: "that an idle device may fetch the sound of an announcement",
    beyond: "404",
  },
  keptSounds: { default: 1000, unit: "sounds", what: "that idle devices may fetch", beyond: "the oldest is forgotten" },
  soundPackets: {
    default: 1000,
    unit: "packets",
    what: "of one such sound, 60 s",
    beyond: "the rest is not kept",
  },
  soundBytes: { default: 524_288, unit: "bytes", what: "of one such sound", beyond: "the rest is not kept" },
  askedSounds: {
    default: 20,
    unit: "sounds",
    what: "that are being asked of other gateways at once",
    beyond: "refused with 503",
  },
  connectBytes: { default: 1024, unit: "bytes", what: "of an MQTT device's CONNECT", beyond: "TCP is dropped" },
  mqttBytes: { default: 16_640, unit: "bytes", what: "of an MQTT packet from a device", beyond: "closed" },
  keepaliveS: {
    default: 240,
    unit: "s",
    what: "between signs of life of an MQTT device that announces no interval",
    beyond: "after 1.5 times as long, as for every interval, closed",
  },
  receiptMs: {
    default: 5000,
    unit: "ms",
    what: "for an idle device to answer after it was sent something",
    beyond: "reported as unanswered, and the session is suspicious",
  },
  missingAudioS: {
    default: 3,
    unit: "s",
    what: "in which an MQTT device listens or waits for an answer, and has sent no sound since its hello",
    beyond: "an alert tells the device, and a warning the log",
  },
  startMs: {
    default: 200,
    unit: "ms",
    what: "for an MQTT device to answer that it was told to speak",
    beyond: "sound is sent, and the device may drop its beginning",
  },
  waitingReceipts: {
    default: 32,
    unit: "receipts",
    what: "of a session that are awaited",
    beyond: "the oldest is reported as unanswered",
  },
} as const satisfies Readonly<Record<string, Limit>>;
