import { BusAwayError, ConflictError, StorageFullError, type Bus, type Closer } from "@voxbus/bus";
import { buckets, type AlertRecord } from "@voxbus/protocol";

/** The alerts of the system in KV `monitor`, as far as this monitor knows them. */
export interface AlertStore extends Closer {
  get(id: string): AlertRecord | undefined;
  entries(): readonly (readonly [id: string, record: AlertRecord])[];
  /**
   * Writes a record by compare-and-set. Resolves with false if another monitor was faster; its record is then known here.
   * While NATS does not store, the record is kept here for `save`. Writes of one id must follow each other. Throws
   * BusAwayError.
   */
  write(id: string, record: AlertRecord): Promise<boolean>;
  /** Writes the records that were kept while NATS did not store. Throws BusAwayError. */
  save(): Promise<void>;
  /** Removes a record, if no other monitor has changed it. Throws BusAwayError, ConflictError. */
  remove(id: string): Promise<void>;
}

/** Opens the store; resolves once all alerts are read. */
export async function openAlertStore(bus: Bus): Promise<AlertStore> {
  const bucket = bus.bucket(buckets.alerts);
  const known = new Map<string, { readonly record: AlertRecord; readonly revision: number }>();

  /** Ids of records that NATS did not store. */
  const unsaved = new Set<string>();

  const learn = (id: string, record: AlertRecord | undefined, revision: number) => {
    if (record !== undefined && revision > (known.get(id)?.revision ?? 0)) known.set(id, { record, revision });
  };
  const watch = await bucket.watch((id, entry) => {
    if (entry === undefined) known.delete(id);
    else learn(id, entry.value, entry.revision);
  });

  const keep = (id: string, record: AlertRecord): true => {
    known.set(id, { record, revision: known.get(id)?.revision ?? 0 });
    unsaved.add(id);
    return true;
  };
  const write = async (id: string, record: AlertRecord): Promise<boolean> => {
    if (!bus.storing()) return keep(id, record);
    try {
      const revision = await bucket.update(id, record, known.get(id)?.revision ?? 0);
      known.set(id, { record, revision });
      unsaved.delete(id);
      return true;
    } catch (error) {
      const isUnstored = error instanceof StorageFullError || (error instanceof BusAwayError && !bus.storing());
      if (isUnstored) return keep(id, record);
      if (!(error instanceof ConflictError)) throw error;
      unsaved.delete(id);
      const found = await bucket.get(id);
      if (found === undefined) known.delete(id);
      else learn(id, found.value, found.revision);
      return false;
    }
  };

  return {
    get: (id) => known.get(id)?.record,
    entries: () => [...known].map(([id, { record }]) => [id, record] as const),
    write,
    async save() {
      if (!bus.storing()) return;
      const ids = Array.from(unsaved);
      for (const id of ids) {
        const record = known.get(id)?.record;
        if (record !== undefined) await write(id, record);
      }
    },
    async remove(id) {
      await bucket.remove(id, known.get(id)?.revision);
      known.delete(id);
    },
    close: () => watch.close(),
  };
}
