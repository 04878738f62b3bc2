import { z } from "zod";
import { amount, at, count, encoded, hasFewKeys, line, name, seq, time, word } from "./fields.ts";

/** `gateway.<gid>.command`: a command to one gateway. */
export const Command = z.object({
  body: z.discriminatedUnion("type", [
    z.object({ type: z.literal("drain") }),
    z.object({
      type: z.literal("disconnect"),
      device: word,
      session: name.optional(),
      reason: z.enum(["replaced", "requested"]),
    }),
  ]),
});
export type Command = z.infer<typeof Command>;

/** The request on `gateway.<gid>.replay`: frames `from` to `to`, both included; without `to` up to the newest. */
export const ReplayRequest = z.object({ session: name, from: seq, to: seq.optional() });
export type ReplayRequest = z.infer<typeof ReplayRequest>;
/** The answer: encoded inbound frames in order of seq, and the newest published seq. `open` is false when the session is gone. */
export const ReplayAnswer = z.object({
  session: name,
  open: z.boolean(),
  newest: count,
  frames: z.array(encoded).max(16_384),
});
export type ReplayAnswer = z.infer<typeof ReplayAnswer>;

/** The request on `gateway.<gid>.sound`: the sound of an announcement, by the random part of its URL. */
export const SoundRequest = z.object({ sound: name });
/** The answer: an Ogg Opus file; absent when it is unknown or expired. */
export const SoundAnswer = z.object({ ogg: encoded.optional() });

/** The severities of alerts. */
export const severities = ["low", "medium", "high"] as const;
/** `alert.<severity>`: a notice to operators. */
export const Alert = z.object({
  id: word,
  at,
  severity: z.enum(severities),
  name: word,
  /** The device, gateway or program that the alert is about. */
  target: line,
  message: line,
  resolved: z.boolean(),
});
export type Alert = z.infer<typeof Alert>;

/**
 * `error.<program>`: a kind of message that a process dropped, how often so far, and when last. `field` is the path of the invalid
 * field, `limit` the rule that it breaks. Neither has its value. `publisher` is as far as the message tells it.
 */
export const BadMessage = z.object({
  at,
  subject: line,
  reason: word,
  field: line.optional(),
  limit: line.optional(),
  count,
  publisher: line.optional(),
});
export type BadMessage = z.infer<typeof BadMessage>;

/** The priorities of work in a pool. `high`: a person waits for it. `normal`: it is for an announcement. `low`: it has time. */
export const priorities = ["high", "normal", "low"] as const;
export type Priority = (typeof priorities)[number];

/** Times (ms) of the work that ended in the last minute; 0 if none did. */
const Times = z.object({ mean: time, p50: time, p95: time, p99: time });
/**
 * The work of one priority in a pool. `running` and `waiting` are current values, `peak` is the most that ran at once. The
 * others count from the start of the process: `waited` had to wait before it ran, `shed` was refused or given up while it
 * waited. `done`, `failed`, `timedOut` and `shed` are the ways to end; what a fence or its caller ended is in none of them.
 */
export const PoolWork = z.object({
  priority: z.enum(priorities),
  submitted: count,
  running: count,
  peak: count,
  waiting: count,
  waited: count,
  done: count,
  failed: count,
  timedOut: count,
  shed: count,
  waitMs: Times,
  workMs: Times,
});
export type PoolWork = z.infer<typeof PoolWork>;
/**
 * A pool of a process. `slots` is the work that it does at once, or its threads. `busy` is the share of them that was in use
 * since the last report, 0 to 1.
 */
export const PoolStats = z.object({
  name: word,
  slots: count,
  busy: z.number().min(0).max(1),
  work: z.array(PoolWork).max(16),
});
export type PoolStats = z.infer<typeof PoolStats>;

const amounts = z.record(word, amount).refine(hasFewKeys, "must have at most 1024 keys").meta({ maxProperties: 1024 });
/**
 * `stats.<program>`: one process's numbers about itself, every few seconds. `rss` and `heap` in bytes, `cpu` in cores used, of
 * the `cores` that it can use, `loopDelay` (p99) and `uptime` in ms. `gauges` are current values; `totals` and
 * `drops` (by reason) count from the start of the process.
 */
export const Stats = z.object({
  program: name,
  /** A ULID of the process. */
  instance: name,
  /** Of a gateway: its id. */
  id: name.optional(),
  state: z.enum(["running", "draining", "stopped"]),
  host: z.string().max(255),
  pid: count,
  at,
  uptime: at.describe("ms"),
  rss: at.describe("bytes"),
  heap: at.describe("bytes"),
  cpu: z.number().min(0).max(65_536),
  cores: z.number().min(1).max(65_536),
  loopDelay: time,
  gauges: amounts,
  totals: amounts,
  drops: amounts,
  pools: z.array(PoolStats).max(16).optional(),
  /** The messages dropped in the last 10 minutes, by subject, reason and field. */
  badMessages: z.array(BadMessage).max(16).optional(),
});
export type Stats = z.infer<typeof Stats>;
