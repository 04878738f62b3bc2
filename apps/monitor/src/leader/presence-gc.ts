import { ConflictError, type Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { buckets } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import { findStranded } from "./garbage.ts";

/** How long a gateway must have been gone before what it left in presence is purged, ms. */
const afterMs = 10 * 60_000;

/** Purges what gateways that are gone left in KV `presence`; gives how many entries. Throws BusAwayError. */
export type Purge = () => Promise<number>;

/** Creates the purge, to be asked every minute or so. */
export function createPurge(parts: {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly log: Log;
  readonly afterMs?: number;
}): Purge {
  const { bus, presence, log } = parts;
  const presences = bus.bucket(buckets.presence);
  const canaries = bus.bucket(buckets.canaries);

  const readLeftovers = async () => {
    const snapshots = [await presences.watch(), await canaries.watch()] as const;
    for (const snapshot of snapshots) snapshot.close();
    const held = [...snapshots[0].entries.values()].flatMap(({ id, revision, value }) =>
      value === undefined ? [] : [{ id, revision, bucket: presences, gateway: value.gateway, epoch: value.epoch }],
    );
    const marks = [...snapshots[1].entries.values()].flatMap(({ id, revision, value }) =>
      value === undefined ? [] : [{ id, revision, bucket: canaries, gateway: id, epoch: value.epoch }],
    );
    return [...held, ...marks];
  };
  let missing: ReadonlyMap<string, number> = new Map();
  return async () => {
    const looked = { missing, now: performance.now(), afterMs: parts.afterMs ?? afterMs };
    const stranded = findStranded(await readLeftovers(), presence.gateways(), looked);
    missing = stranded.missing;
    let count = 0;
    for (const { bucket, id, revision } of stranded.purge) {
      try {
        await bucket.remove(id, revision);
      } catch (error) {
        if (error instanceof ConflictError) continue; // the device is back
        throw error;
      }
      count += 1;
    }
    if (count > 0) log.info({ entries: count }, "purged what gateways that are gone had left in presence");
    return count;
  };
}
