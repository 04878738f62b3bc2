import { z } from "zod";
import {
  amount,
  at,
  count,
  Features,
  hasFewKeys,
  line,
  map,
  name,
  reply,
  seq,
  text,
  time,
  word,
} from "./envelopes/fields.ts";
import { Alert } from "./envelopes/operations.ts";
import { AudioState, SessionState } from "./envelopes/turns.ts";
import { timeZone } from "./profile.ts";

/**
 * The lease of one gateway process; `epoch` is a ULID of the process, `since` its start in ms since the epoch. `url` is where
 * OTA may send devices to, and `load.room` the number of connections that it takes from them.
 */
export const GatewayLease = z.object({
  id: word,
  epoch: word,
  address: line,
  url: line.optional(),
  load: z.object({ connections: amount.int(), speaking: amount.int(), room: amount.int().optional() }),
  draining: z.boolean(),
  since: time,
});
export type GatewayLease = z.infer<typeof GatewayLease>;

/** The gateway that holds a device. The higher `term` is the newer session; `since` in ms since the epoch. */
export const Presence = z.object({
  term: z.number().int().min(1).max(1e15),
  gateway: word,
  epoch: word,
  session: word,
  since: time,
  remote: line,
  protocol: z.number().int().min(0).max(255),
  features: Features,
  state: SessionState,
  /** Only of a device that is reached while it is idle. Every other one has its audio channel open. */
  audio: AudioState.optional(),
});
export type Presence = z.infer<typeof Presence>;

/**
 * One turn of a dialogue: the user's words, the calls of the device's tools, and the sentences of the answer. `heard` is the
 * number of sentences that were played, if the answer was not played to its end, and `end` tells why. `engine` is the model's. It may be written in
 * parts: `user` is empty as long as only its end is known.
 */
export const DialogueTurn = z.object({
  session: name,
  origin: seq,
  at: time,
  user: text.default(""),
  calls: z
    .array(z.object({ name: line, args: text, text }))
    .max(16)
    .default([]),
  said: z.array(text).max(1024).default([]),
  heard: count.optional(),
  end: z.enum(["interrupted", "failed"]).optional(),
  engine: name.optional(),
});
export type DialogueTurn = z.infer<typeof DialogueTurn>;

/** The history of a device's dialogue, oldest first: at most 50 turns. `messages` are those of older versions. */
export const Dialogue = z.object({
  messages: z.array(z.object({ role: z.enum(["user", "assistant"]), text, at: time })).max(50),
  turns: z.array(DialogueTurn).max(50).default([]),
});
export type Dialogue = z.infer<typeof Dialogue>;

/** The progress of a device's firmware update to `version`: the percentage that was sent; `at` in ms since the epoch. */
export const FirmwareUpdate = z.object({
  version: word,
  state: z.enum(["offered", "downloading", "downloaded", "broken"]),
  percent: z.number().int().min(0).max(100),
  at: time,
});
export type FirmwareUpdate = z.infer<typeof FirmwareUpdate>;

/**
 * The record of a device that outlives its sessions; times in ms. The open session's time is counted up to `lastSeen`.
 * `firmware` and `board` are what the device said of itself when it last asked for its configuration.
 */
export const DeviceRecord = z.object({
  lastSeen: time,
  lastReason: line,
  totalOnline: time,
  session: word.optional(),
  firstSeen: time.optional(),
  firmware: word.optional(),
  board: word.optional(),
  update: FirmwareUpdate.optional(),
});
export type DeviceRecord = z.infer<typeof DeviceRecord>;

/** A gateway process: `at` is its last sign of life, and `left` tells that it stopped in order. */
const GatewayProcess = z.object({ epoch: word, at: at.default(0), left: z.boolean().default(false) });

/**
 * A gateway process's mark in the bucket `presence`: its absence shows that the bucket was wiped. `before` is the process
 * that had the id before.
 */
export const Canary = GatewayProcess.extend({ before: GatewayProcess.optional() });
export type Canary = z.infer<typeof Canary>;

/** A tool that a device offers over MCP; `inputSchema` is JSON Schema. */
export const DeviceTool = z.object({
  name: line,
  description: text.default(""),
  inputSchema: map.default({ type: "object", properties: {} }),
});
export type DeviceTool = z.infer<typeof DeviceTool>;

/** The record of a tool call: stored before it is sent, so that it is made once. `text` is its result. */
export const ToolCallRecord = z.object({ name: line, args: text, text: text.optional() });
export type ToolCallRecord = z.infer<typeof ToolCallRecord>;

/**
 * A timer or an alarm of `device`, due at `dueAt`, ms since the epoch. A timer has its length `ms`. An alarm has its local `time`
 * (HH:MM) and `timeZone`, and repeats on `days` (1 for Monday to 7) if it has any. Reminders of older versions have a `text`
 * alone. `ring` tells that it is being announced, as the reply of this id in this session, since `at`.
 */
export const Reminder = z.object({
  device: word,
  dueAt: time,
  kind: z.enum(["timer", "alarm"]).optional(),
  name: z.string().min(1).max(64).optional(),
  ms: time.optional(),
  time: z
    .string()
    .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "must be a time such as 07:30")
    .optional(),
  timeZone: timeZone.optional(),
  days: z.array(z.number().int().min(1).max(7)).min(1).max(7).optional(),
  text: text.optional(),
  ring: z.object({ reply, session: name, at }).optional(),
});
export type Reminder = z.infer<typeof Reminder>;

/** The lease of the active monitor; `at` in ms since the epoch. */
export const MonitorLease = z.object({ instance: word, at });
export type MonitorLease = z.infer<typeof MonitorLease>;

/** The gateways that the active monitor has seen on the NATS `server`, for the monitor after it; `at` in ms since the epoch. */
export const SeenGateways = z.object({
  at,
  server: line.default(""),
  gateways: z
    .record(word, z.object({ epoch: word, leaving: z.boolean() }))
    .refine(hasFewKeys, "must have at most 1024 keys")
    .meta({ maxProperties: 1024 }),
});
export type SeenGateways = z.infer<typeof SeenGateways>;

/** The alert raised last of a name and target, and how many of its steps were published and posted. */
export const AlertRecord = z.object({
  steps: z.array(Alert).min(1).max(1024),
  published: count,
  posted: count,
});
export type AlertRecord = z.infer<typeof AlertRecord>;
