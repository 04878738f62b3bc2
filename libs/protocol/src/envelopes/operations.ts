import { z } from "zod";
import { at, bytes, count, name, seq } from "./fields.ts";

/** `gateway.<gid>.command`: a command to one gateway. */
export const Command = z.object({
  body: z.discriminatedUnion("type", [
    z.object({ type: z.literal("drain") }),
    z.object({
      type: z.literal("disconnect"),
      device: z.string(),
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
export const ReplayAnswer = z.object({ session: name, open: z.boolean(), newest: count, frames: z.array(bytes) });
export type ReplayAnswer = z.infer<typeof ReplayAnswer>;

/** The severities of alerts. */
export const severities = ["low", "medium", "high"] as const;
/** `alert.<severity>`: a notice to operators. */
export const Alert = z.object({
  id: z.string(),
  at,
  severity: z.enum(severities),
  name: z.string(),
  /** The device, gateway or program that the alert is about. */
  target: z.string(),
  message: z.string(),
  resolved: z.boolean(),
});
export type Alert = z.infer<typeof Alert>;

const amounts = z.record(z.string().max(64), z.number());
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
