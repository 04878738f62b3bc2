import { ConflictError, type Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import type { Log } from "@voxbus/service";
import { findStranded } from "./gone-gateways.ts";

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
  const bucket = bus.bucket("presence");
  let missing: ReadonlyMap<string, number> = new Map();
  return async () => {
    const snapshot = await bucket.watch();
    snapshot.close();
    const looked = { missing, now: performance.now(), afterMs: parts.afterMs ?? afterMs };
    const stranded = findStranded(snapshot.entries.values(), presence.gateways(), looked);
    missing = stranded.missing;
    let count = 0;
    for (const { key, revision } of stranded.purge) {
      try {
        await bucket.remove(key, revision);
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
