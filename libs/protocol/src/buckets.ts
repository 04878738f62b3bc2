import { z } from "zod";
import { SessionState } from "./envelopes/envelopes.ts";

/** KV `gateways`: the lease of one gateway process; `epoch` is a ULID of the process. */
export const GatewayLease = z.object({
  id: z.string(),
  epoch: z.string(),
  address: z.string(),
  load: z.object({ connections: z.number().int(), speaking: z.number().int() }),
  draining: z.boolean(),
  since: z.number(),
});
export type GatewayLease = z.infer<typeof GatewayLease>;

/** KV `presence`: which gateway holds a device. The higher `term` is the newer session; `since` in ms since the epoch. */
export const Presence = z.object({
  term: z.number().int().min(1),
  gateway: z.string(),
  epoch: z.string(),
  session: z.string(),
  since: z.number(),
  remote: z.string(),
  protocol: z.number().int(),
  features: z.record(z.string(), z.unknown()),
  state: SessionState,
});
export type Presence = z.infer<typeof Presence>;

/** KV `profiles`: a device's settings; every field has a default, and a change applies to the next turn. */
export const Profile = z.object({
  language: z.string().default("en").describe("BCP 47 language that is spoken"),
  voice: z.string().optional().describe("the synthesizer's voice"),
  engines: z.object({ asr: z.string().optional(), tts: z.string().optional(), llm: z.string().optional() }).default({}),
  prompt: z.string().max(16_384).optional().describe("the language model's instructions"),
  timeZone: z.string().default("UTC").describe("IANA time zone"),
  wakeWords: z.array(z.string()).default([]).describe("texts of listen/detect that are wake words and not typed text"),
  group: z.string().optional().describe("the group whose fleet.<group>.out reaches the device"),
  lead: z.number().int().min(0).max(3).default(2).describe("frames sent ahead of the play-out clock"),
  deadlineMs: z
    .number()
    .int()
    .min(1000)
    .max(120_000)
    .default(15_000)
    .describe("ms without a reply frame before a turn is given up"),
  dryMs: z
    .number()
    .int()
    .min(1000)
    .max(60_000)
    .default(5000)
    .describe("ms without a frame in mid-reply before it is given up"),
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

/** KV `dialogues`: what was said, at most 50 messages. */
export const Dialogue = z.object({
  messages: z.array(z.object({ role: z.enum(["user", "assistant"]), text: z.string(), at: z.number() })).max(50),
});
export type Dialogue = z.infer<typeof Dialogue>;

/** KV `devices`: the record that outlives sessions; times in ms. While `session` is open its time is counted up to `lastSeen`. */
export const DeviceRecord = z.object({
  lastSeen: z.number(),
  lastReason: z.string(),
  totalOnline: z.number(),
  session: z.string().optional(),
});
export type DeviceRecord = z.infer<typeof DeviceRecord>;
