import { z } from "zod";
import { deviceKey, deviceOfKey } from "./ids.ts";
import { line, time } from "./envelopes/fields.ts";
import {
  AlertRecord, Canary, DeviceRecord, DeviceTool, Dialogue, GatewayLease, MonitorLease, Presence, Reminder, SeenGateways,
  StoredProfile, ToolCall,
} from "./records.ts"; // prettier-ignore

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

/** The lifetime of each bucket's entries in ms, from when they were written; undefined: until they are removed. */
export const bucketLifetimes = {
  gateways: 10 * second,
  presence: undefined,
  profiles: undefined,
  dialogues: 7 * day,
  tools: hour,
  "tool-calls": 6 * hour,
  reminders: 7 * day,
  devices: 90 * day,
  monitor: undefined,
  // As long as a job can be claimed.
  naks: 6 * hour,
  probes: 60 * second,
} as const;
export type BucketName = keyof typeof bucketLifetimes;
/** Every bucket by its name in NATS. */
export const bucketNames = Object.keys(bucketLifetimes) as readonly BucketName[];

/** The share of each bucket in the storage of all buckets, in 64ths. */
export const bucketShares: Readonly<Record<BucketName, number>> = {
  gateways: 1,
  presence: 6,
  profiles: 6,
  dialogues: 20,
  tools: 15,
  "tool-calls": 3,
  reminders: 3,
  devices: 6,
  monitor: 1,
  naks: 2,
  probes: 1,
};

/** A kind of entry in a bucket: its keys and the schema of its values. */
export interface BucketRow<S extends z.ZodType = z.ZodType> {
  readonly bucket: BucketName;
  /** The key as docs/bus.md writes it. */
  readonly pattern: string;
  readonly schema: S;
  /** The key of an id. `:` cannot stand in a key. */
  key(id: string): string;
  /** The id of a key, or undefined for a key of another kind. */
  idOf(key: string): string | undefined;
}

/** Ids of devices, or ids that begin with one. Keys that do not belong to a device begin with `=`. */
const byDevice = { key: deviceKey, idOf: deviceOfKey };
const byName = { key: (id: string) => id, idOf: (key: string) => key };
const byPrefix = (prefix: string) => ({
  key: (id: string) => prefix + id,
  idOf: (key: string) => (key.startsWith(prefix) ? key.slice(prefix.length) : undefined),
});
const single = (only: string) => ({ key: () => only, idOf: (key: string) => (key === only ? key : undefined) });

/** The id under which the bucket `profiles` holds what applies to every device. */
export const defaultProfile = "=default";

/** Every kind of entry in a bucket. docs/bus.md has the same table with who writes it. */
export const buckets = {
  gateways: { bucket: "gateways", pattern: "<gid>", schema: GatewayLease, ...byName },
  presence: { bucket: "presence", pattern: "<device>", schema: Presence, ...byDevice },
  canaries: { bucket: "presence", pattern: "=canary-<gid>", schema: Canary, ...byPrefix("=canary-") },
  profiles: {
    bucket: "profiles",
    pattern: "<device>",
    schema: StoredProfile,
    key: deviceKey,
    idOf: (key: string) => (key === defaultProfile ? key : deviceOfKey(key)),
  },
  dialogues: { bucket: "dialogues", pattern: "<device>", schema: Dialogue, ...byDevice },
  tools: { bucket: "tools", pattern: "<session>", schema: z.array(DeviceTool).max(64), ...byName },
  toolCalls: { bucket: "tool-calls", pattern: "<session>.<origin>.<k>", schema: ToolCall, ...byName },
  reminders: { bucket: "reminders", pattern: "<device>.<session>-<origin>-<k>", schema: Reminder, ...byDevice },
  devices: { bucket: "devices", pattern: "<device>", schema: DeviceRecord, ...byDevice },
  monitorLease: { bucket: "monitor", pattern: "=lease", schema: MonitorLease, ...single("=lease") },
  seenGateways: { bucket: "monitor", pattern: "=gateways", schema: SeenGateways, ...single("=gateways") },
  alerts: { bucket: "monitor", pattern: "alert.<name>.<target>", schema: AlertRecord, ...byPrefix("alert.") },
  probes: { bucket: "probes", pattern: "<instance>", schema: z.object({ at: time }), ...byName },
  naks: { bucket: "naks", pattern: "<stream>.<consumer>.<id>", schema: z.array(line).max(1024), ...byName },
} as const satisfies Readonly<Record<string, BucketRow>>;
