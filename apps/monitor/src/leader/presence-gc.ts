import { ConflictError, type Bus } from "@voxbus/bus";
import { endRecord, findProcess, type PresenceView } from "@voxbus/presence";
import { buckets } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { findGarbage, type OwnedEntry } from "./garbage.ts";

/** The presence entries of a gateway are removed once it has been gone for this long [ms]. */
const usualAfterMs = 10 * 60_000;

/** The garbage collection of KV `presence`. */
export interface PresenceGc {
  /** Ends the records of devices that were there, and removes the entries of gateways that are gone, and resolves with their number. Throws BusAwayError. */
  collect(): Promise<number>;
}

/** Creates the garbage collection. `collect` is to be called about once a minute. */
export function createPresenceGc(parts: {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly log: Log;
  readonly afterMs?: number;
}): PresenceGc {
  const { bus, presence, log, afterMs = usualAfterMs } = parts;
  const presences = bus.bucket(buckets.presence);
  const canaries = bus.bucket(buckets.canaries);
  const records = bus.bucket(buckets.devices);
  let missing: ReadonlyMap<string, number> = new Map();

  const readEntries = async () => {
    const snapshots = [await presences.watch(), await canaries.watch()] as const;
    for (const snapshot of snapshots) snapshot.close();
    const held = [...snapshots[0].entries.values()].flatMap(({ id, revision, value }) =>
      value === undefined
        ? []
        : [{ id, revision, bucket: presences, gateway: value.gateway, epoch: value.epoch, session: value.session }],
    );
    const marks = [...snapshots[1].entries.values()].flatMap(({ id, revision, value }) =>
      value === undefined
        ? []
        : [{ id, revision, bucket: canaries, gateway: id, epoch: value.epoch, session: undefined }],
    );
    return [...held, ...marks];
  };

  /** Ends the record that names a session whose gateway is gone. Its device did not come back, or it would have done so. */
  const endSession = async (id: string, { gateway, epoch, session }: OwnedEntry & { readonly session: string }) => {
    const process = await findProcess(bus, { id: gateway, epoch });
    await records.modify(id, (record) =>
      record?.session === session ? endRecord(record, process?.at ?? record.lastSeen, "gateway_lost") : undefined,
    );
  };

  return {
    async collect() {
      const before = { missing, now: performance.now(), afterMs };
      const garbage = findGarbage(await readEntries(), presence.gateways(), before);
      missing = garbage.missing;
      let count = 0;
      for (const entry of garbage.entries) {
        const { bucket, id, revision, session } = entry;
        try {
          if (session !== undefined) await endSession(id, { ...entry, session });
          await bucket.remove(id, revision);
        } catch (error) {
          if (error instanceof ConflictError) continue; // the device is back
          throw error;
        }
        count += 1;
      }
      if (count > 0) log.info({ entries: count }, "presence entries of gone gateways removed");
      return count;
    },
  };
}
