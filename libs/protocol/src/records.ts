import { z } from "zod";
import {
  amount,
  at,
  count,
  Features,
  hasFewKeys,
  language,
  line,
  map,
  name,
  seq,
  text,
  time,
  word,
} from "./envelopes/fields.ts";
import { Alert } from "./envelopes/operations.ts";
import { SessionState } from "./envelopes/turns.ts";

/** The lease of one gateway process; `epoch` is a ULID of the process, `since` its start in ms since the epoch. */
export const GatewayLease = z.object({
  id: word,
  epoch: word,
  address: line,
  load: z.object({ connections: amount.int(), speaking: amount.int() }),
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
});
export type Presence = z.infer<typeof Presence>;

const pause = z.number().int().min(200).max(3000);

/** A device's settings with defaults filled in. A change applies to the next turn. */
export const Profile = z.object({
  language: language.default("en").describe("BCP 47 language that is spoken"),
  voice: line.optional().describe("the synthesizer's voice"),
  engines: z.object({ asr: name.optional(), tts: name.optional(), llm: name.optional() }).default({}),
  prompt: z.string().max(16_384).optional().describe("the language model's instructions"),
  timeZone: word
    .refine(isTimeZone, "must be an IANA time zone such as Europe/Berlin")
    .default("UTC")
    .describe("IANA time zone"),
  wakeWords: z
    .array(line)
    .max(64)
    .default([])
    .describe("texts of listen/detect that are wake words and not typed text, beside those of the firmware"),
  group: name.optional().describe("the group whose fleet.<group>.out reaches the device"),
  lead: z.number().int().min(0).max(3).default(2).describe("frames sent ahead of the play-out clock"),
  startGapMs: z
    .number()
    .int()
    .min(0)
    .max(1000)
    .default(20)
    .describe("ms from tts start to the first packet; more for a device that loses the beginning of replies"),
  deadlineMs: z
    .number()
    .int()
    .min(1000)
    .max(120_000)
    .default(15_000)
    .describe("ms without a reply frame or a sign of life before a turn is given up; at least 3000"),
  dryMs: z
    .number()
    .int()
    .min(1000)
    .max(60_000)
    .default(5000)
    .describe("ms without a frame or a sign of life in mid-reply before it is given up; at least 3000"),
  pauseMs: pause.optional().describe("ms of silence that end an utterance; without it `VOXBUS_ASR_END_OF_SPEECH_MS`"),
  wholePauseMs: pause.default(300).describe("the same after a whole command, if the recognizer can tell"),
  begunPauseMs: pause.default(900).describe("the same after the beginning of a command, if the recognizer can tell"),
  silenceMs: z
    .number()
    .int()
    .min(0)
    .max(3_600_000)
    .default(120_000)
    .describe("ms without a voice in a listen before the conversation ends with a farewell; 0: never"),
  farewell: z.string().max(200).default("Goodbye for now.").describe("what is spoken then"),
});
export type Profile = z.infer<typeof Profile>;

/**
 * One turn of a dialogue: the user's words, the calls of the device's tools, and the sentences of the answer. `heard` is the
 * number of sentences that were played, if the answer was not played to its end, and `end` tells why. It may be written in
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
});
export type DialogueTurn = z.infer<typeof DialogueTurn>;

/** The history of a device's dialogue, oldest first: at most 50 turns. `messages` are those of older versions. */
export const Dialogue = z.object({
  messages: z.array(z.object({ role: z.enum(["user", "assistant"]), text, at: time })).max(50),
  turns: z.array(DialogueTurn).max(50).default([]),
});
export type Dialogue = z.infer<typeof Dialogue>;

/** The record of a device that outlives its sessions; times in ms. The open session's time is counted up to `lastSeen`. */
export const DeviceRecord = z.object({
  lastSeen: time,
  lastReason: line,
  totalOnline: time,
  session: word.optional(),
});
export type DeviceRecord = z.infer<typeof DeviceRecord>;

/** The fields of a profile that a device has of its own: any of them, without defaults. */
export const OwnProfile = z.object(
  Object.fromEntries(Object.entries(Profile.shape).map(([name, field]) => [name, withoutDefault(field)])) as {
    [K in keyof typeof Profile.shape]: z.ZodOptional<z.ZodType<Profile[K]>>;
  },
);
export type OwnProfile = z.infer<typeof OwnProfile>;

/** The fields of a stored profile that are valid, and the names of those that are not. */
export interface StoredProfile {
  readonly own: OwnProfile;
  readonly invalid: readonly string[];
}
/** A profile as it is read from its bucket: a field that is not valid counts as absent. */
export const StoredProfile = map.transform((stored): StoredProfile => {
  const invalid: string[] = [];
  const own = keepValid(OwnProfile.shape, stored, (field) => invalid.push(field));
  return { own, invalid };
}) as unknown as z.ZodType<StoredProfile, OwnProfile>;

function keepValid(
  shape: Readonly<Record<string, z.ZodType>>,
  stored: Readonly<Record<string, unknown>>,
  report: (field: string) => void,
): Record<string, unknown> {
  const known = Object.entries(stored).filter(([field]) => Object.hasOwn(shape, field));
  return Object.fromEntries(
    known.flatMap(([field, value]) => {
      const parsed = shape[field]!.safeParse(value);
      if (parsed.success) return [[field, parsed.data]];
      const inner = shape[field] instanceof z.ZodOptional ? shape[field].unwrap() : undefined;
      if (inner instanceof z.ZodObject && typeof value === "object" && value !== null)
        return [
          [field, keepValid(inner.shape, value as Record<string, unknown>, (name) => report(`${field}.${name}`))],
        ];
      report(field);
      return [];
    }),
  );
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

// A stored default would hide the fleet's, as if somebody had chosen it.
function withoutDefault(field: z.ZodType): z.ZodType {
  const bare = field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType).optional() : field;
  return field.description === undefined ? bare : bare.describe(field.description);
}

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

/** A call of a device's tool: stored before it is sent, so that it is made once. `text` is its result. */
export const ToolCall = z.object({ name: line, args: text, text: text.optional() });
export type ToolCall = z.infer<typeof ToolCall>;

/** A reminder: `text` is announced on `device` at `dueAt`, ms since the epoch. */
export const Reminder = z.object({ device: word, text, dueAt: time });
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
    .refine(hasFewKeys, "must have at most 1024 keys"),
});
export type SeenGateways = z.infer<typeof SeenGateways>;

/** The alert raised last of a name and target, and how many of its steps were published and posted. */
export const AlertRecord = z.object({
  steps: z.array(Alert).min(1).max(1024),
  published: count,
  posted: count,
});
export type AlertRecord = z.infer<typeof AlertRecord>;
