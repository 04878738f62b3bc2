import type { Bus, Closer } from "@voxbus/bus";
import type { PresenceView, Profiles } from "@voxbus/presence";
import {
  buckets,
  FirmwareUpdate,
  groupsOf,
  isDeviceId,
  type DeviceRecord,
  type Presence,
  type Profile,
  type RegisteredDevice,
  SessionState,
} from "@voxbus/protocol";
import { z } from "zod";

/** A device that is registered, was seen in the last 90 days, or is online. */
export const KnownDevice = z.object({
  id: z.string(),
  registered: z.boolean().describe("an operator has decided about it"),
  name: z.string().optional().describe("what people call it"),
  group: z.string().optional().describe("the group of its profile"),
  groups: z.array(z.string()).optional().describe("the further groups of its profile"),
  allowed: z.boolean().optional().describe("true: let in, false: disabled, absent: the gateways' variables decide"),
  note: z.string().optional(),
  state: z.enum([...SessionState.exclude(["closed"]).options, "offline"]),
  gateway: z.string().optional().describe("the gateway that holds it"),
  since: z.number().optional().describe("ms since the epoch at which the session began"),
  firstSeen: z.number().optional().describe("ms since the epoch; absent if unknown"),
  lastSeen: z.number().optional().describe("ms since the epoch; absent if it was not seen in the last 90 days"),
  lastReason: z.string().optional().describe("why the last session ended"),
  totalOnline: z.number().optional().describe("ms of all sessions that ended"),
  firmware: z.string().optional().describe("the version that it named last"),
  board: z.string().optional().describe("the board that it named last"),
  update: FirmwareUpdate.optional().describe("its last firmware update"),
});
export type KnownDevice = z.infer<typeof KnownDevice>;

/** Which devices to list. Without a field, any. */
export interface DeviceFilter {
  readonly prefix?: string | undefined;
  readonly group?: string | undefined;
  readonly state?: "online" | "offline" | "disabled" | undefined;
}

/** A live view of every known device. */
export interface KnownDevices extends Closer {
  get(id: string): KnownDevice | undefined;
  /** The devices that fit a filter, in order of their ids. A prefix matches ids and names in upper or lower case. */
  list(filter?: DeviceFilter): readonly KnownDevice[];
  /**
   * Calls `changed` with the id of each device whose registration, record or profile changes, and without an id when what
   * applies to all of them does.
   */
  watch(changed: (id: string | undefined) => void): Closer;
}

/** Watches the buckets `registry` and `devices`. Resolves when the first snapshots are complete. */
export async function watchKnownDevices({
  bus,
  presence,
  profiles,
}: {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly profiles: Profiles;
}): Promise<KnownDevices> {
  const watchers = new Set<(id: string | undefined) => void>();
  const changed = (id: string | undefined) => {
    for (const watcher of watchers) watcher(id);
  };
  const profileWatch = profiles.watch(changed);
  const registry = await bus.bucket(buckets.registry).watch(changed);
  const records = await bus.bucket(buckets.devices).watch(changed);

  const get = (id: string): KnownDevice | undefined => {
    // Another application may have written any key.
    if (!isDeviceId(id)) return undefined;
    const found = {
      registered: registry.entries.get(id)?.value,
      record: records.entries.get(id)?.value,
      online: presence.online(id),
    };
    if (!found.registered && !found.record && !found.online) return undefined;
    return join(id, found, profiles.saved(id), bus.now());
  };
  return {
    get,
    list(filter = {}) {
      const online = [...presence.devices()].map(([id]) => id);
      const ids = new Set([...registry.entries.keys(), ...records.entries.keys(), ...online]);
      return [...ids]
        .sort()
        .flatMap((id) => get(id) ?? [])
        .filter((device) => fits(device, filter));
    },
    watch(watcher) {
      watchers.add(watcher);
      return { close: () => void watchers.delete(watcher) };
    },
    close() {
      profileWatch.close();
      registry.close();
      records.close();
    },
  };
}

function fits({ id, name = "", ...device }: KnownDevice, { prefix = "", group, state }: DeviceFilter): boolean {
  const begin = prefix.toLowerCase();
  if (![id, name].some((text) => text.toLowerCase().startsWith(begin))) return false;
  if (group !== undefined && !groupsOf(device).includes(group)) return false;
  if (state === "disabled") return device.allowed === false;
  return state === undefined || (device.state === "offline") === (state === "offline");
}

/** The entries of a device. */
interface Found {
  readonly registered: RegisteredDevice | undefined;
  readonly record: DeviceRecord | undefined;
  readonly online: Presence | undefined;
}

/** Joins what is known of a device. `now` in ms since the epoch. */
function join(
  id: string,
  { registered, record, online }: Found,
  { group, groups }: Pick<Profile, "group" | "groups">,
  now: number,
): KnownDevice {
  const { lastReason, totalOnline, firmware, board, update } = record ?? {};
  // A device that only asked for its configuration was not here.
  const lastSeen = online ? now : record?.lastSeen || undefined;
  return {
    id,
    registered: registered !== undefined,
    name: registered?.name,
    group,
    groups: groups.length > 0 ? groups : undefined,
    allowed: registered?.allowed,
    note: registered?.note,
    state: online && online.state !== "closed" ? online.state : "offline",
    gateway: online?.gateway,
    since: online?.since,
    firstSeen: record?.firstSeen,
    lastSeen,
    lastReason: lastReason || undefined,
    totalOnline,
    firmware,
    board,
    update,
  };
}
