import { z } from "zod";
import { Activation, activationMs } from "./activation.ts";
import { ApiToken, StoredWebhook } from "./api-records.ts";
import { deviceKey, deviceOfKey, isName } from "./ids.ts";
import { line, time } from "./envelopes/fields.ts";
import { KeptMessages } from "./kept-messages.ts";
import {
  AlertRecord, Canary, DeviceRecord, DeviceTool, Dialogue, GatewayLease, MonitorLease, Presence, Reminder, SeenGateways,
  ToolCallRecord,
} from "./records.ts"; // prettier-ignore
import { StoredProfile } from "./profile.ts";
import { RegisteredDevice } from "./registered-device.ts";

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
  // An alarm may be a year ahead, and waits 30 days for its device.
  reminders: 400 * day,
  // An announcement is kept for 7 days at most.
  kept: 8 * day,
  devices: 90 * day,
  registry: undefined,
  activations: activationMs,
  api: undefined,
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
  tools: 8,
  "tool-calls": 3,
  reminders: 3,
  kept: 2,
  devices: 6,
  registry: 3,
  activations: 1,
  api: 1,
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
const groupPrefix = "=group-";
const trialPrefix = "=trial-";

/** Gives the id under which the bucket `profiles` holds what applies to the devices of a group. */
export function groupProfile(group: string): string {
  return groupPrefix + group;
}

/** Gives the id under which the bucket `profiles` holds the trial of a device. */
export function trialProfile(device: string): string {
  return trialPrefix + deviceKey(device);
}

/** The level of profiles that an id of the bucket `profiles` names. */
export type ProfileLevel =
  | { readonly kind: "fleet" }
  | { readonly kind: "group"; readonly group: string }
  | { readonly kind: "device" | "trial"; readonly device: string };

/** Gives the level of an id of the bucket `profiles`, or undefined for an id that names none. */
export function levelOfProfile(id: string): ProfileLevel | undefined {
  if (id === defaultProfile) return { kind: "fleet" };
  if (id.startsWith(groupPrefix)) {
    const group = id.slice(groupPrefix.length);
    return isName(group) ? { kind: "group", group } : undefined;
  }
  const isTrial = id.startsWith(trialPrefix);
  const device = deviceOfKey(isTrial ? id.slice(trialPrefix.length) : id);
  return device === undefined ? undefined : { kind: isTrial ? "trial" : "device", device };
}

/** A level of profiles by its name for people. */
export type ProfileSource = "fleet" | `group:${string}` | "device" | "trial";

/** Names the level of an id of the bucket `profiles`. */
export function nameProfile(id: string): ProfileSource {
  const level = levelOfProfile(id);
  if (level === undefined) return "device";
  return level.kind === "group" ? `group:${level.group}` : level.kind;
}

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
    idOf: (key: string) => (key.startsWith("=") ? levelOfProfile(key) && key : deviceOfKey(key)),
  },
  dialogues: { bucket: "dialogues", pattern: "<device>", schema: Dialogue, ...byDevice },
  tools: { bucket: "tools", pattern: "<session>", schema: z.array(DeviceTool).max(64), ...byName },
  toolCalls: { bucket: "tool-calls", pattern: "<session>.<origin>.<k>", schema: ToolCallRecord, ...byName },
  reminders: { bucket: "reminders", pattern: "<device>.<session>-<origin>-<k>", schema: Reminder, ...byDevice },
  kept: { bucket: "kept", pattern: "<device>", schema: KeptMessages, ...byDevice },
  devices: { bucket: "devices", pattern: "<device>", schema: DeviceRecord, ...byDevice },
  registry: { bucket: "registry", pattern: "<device>", schema: RegisteredDevice, ...byDevice },
  activations: { bucket: "activations", pattern: "<code>", schema: Activation, ...byName },
  apiTokens: { bucket: "api", pattern: "token.<name>", schema: ApiToken, ...byPrefix("token.") },
  webhooks: { bucket: "api", pattern: "webhook.<name>", schema: StoredWebhook, ...byPrefix("webhook.") },
  monitorLease: { bucket: "monitor", pattern: "=lease", schema: MonitorLease, ...single("=lease") },
  seenGateways: { bucket: "monitor", pattern: "=gateways", schema: SeenGateways, ...single("=gateways") },
  alerts: { bucket: "monitor", pattern: "alert.<name>.<target>", schema: AlertRecord, ...byPrefix("alert.") },
  probes: { bucket: "probes", pattern: "<instance>", schema: z.object({ at: time }), ...byName },
  naks: { bucket: "naks", pattern: "<stream>.<consumer>.<id>", schema: z.array(line).max(1024), ...byName },
} as const satisfies Readonly<Record<string, BucketRow>>;
