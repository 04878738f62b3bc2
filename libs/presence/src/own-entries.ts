import { ConflictError, type Bus, type BusLog, type Entry } from "@voxbus/bus";
import { buckets, channels, type Presence } from "@voxbus/protocol";
import type { PresenceChange } from "./presence.ts";

/** A presence entry that this gateway wrote. */
export interface OwnEntry {
  presence: Presence;
  revision: number;
  /** The device's last write. Writes of one device run one after the other. */
  tail: Promise<void>;
}

/** The presence entries that this gateway wrote, by device. */
export interface OwnEntries {
  size(): number;
  add(device: string, entry: Pick<OwnEntry, "presence" | "revision">): void;
  /** Forgets a device's entry, of `session` if given, and returns it. Undefined if this gateway does not hold it. */
  take(device: string, session?: string): OwnEntry | undefined;
  /** Writes a change, if it is one. Resolves to false when the write failed and the entry waits for `restore`. */
  change(device: string, session: string, change: PresenceChange): Promise<boolean>;
  /**
   * Compares entries with the bucket, all of them or those whose write failed. Writes back what a wipe removed, and gives
   * up what a newer session holds. `kept`: the bucket is intact up to this revision; 0 after a wipe.
   */
  restore(kept: number, all: boolean): Promise<void>;
}

/** How a session lost its device: a newer session holds it, or its entry was removed. */
export type Loss = "replaced" | "removed";

/** Options of the own entries. */
interface OwnEntriesOptions {
  /** Called when an entry is lost for good. */
  readonly taken: ((device: string, session: string, loss: Loss) => void) | undefined;
  readonly log: BusLog | undefined;
}

/** Creates an empty table of own entries. */
export function createOwnEntries(bus: Bus, { taken, log }: OwnEntriesOptions): OwnEntries {
  const bucket = bus.bucket(buckets.presence);
  const table = new Map<string, OwnEntry>();
  /** Devices whose last write failed. */
  const suspects = new Set<string>();

  const find = (device: string, session: string | undefined): OwnEntry | undefined => {
    const own = table.get(device);
    return session === undefined || own?.presence.session === session ? own : undefined;
  };

  /** Runs `write` after the device's earlier writes, if the entry is still in the table. */
  const inTurn = (device: string, own: OwnEntry, write: () => Promise<void>): Promise<void> => {
    own.tail = own.tail.then(async () => {
      if (table.get(device) !== own) return;
      try {
        await write();
      } catch (err) {
        suspects.add(device);
        if (!(err instanceof ConflictError)) log?.warn({ err, device }, "presence write failed");
      }
    });
    return own.tail;
  };

  const restoreOne = async (device: string, own: OwnEntry, found: Entry<Presence> | undefined, kept: number) => {
    const loss = await restoreEntry(bus, { own, found, kept, device });
    if (loss === undefined) return;
    table.delete(device);
    taken?.(device, own.presence.session, loss);
  };

  const restoreAll = async (kept: number): Promise<void> => {
    suspects.clear();
    const snapshot = await bucket.watch();
    snapshot.close();
    const { entries } = snapshot;
    await Promise.all(
      [...table].map(([device, own]) => inTurn(device, own, () => restoreOne(device, own, entries.get(device), kept))),
    );
  };

  return {
    size: () => table.size,
    add: (device, entry) => void table.set(device, { ...entry, tail: Promise.resolve() }),
    take: (device, session) => {
      const own = find(device, session);
      if (own !== undefined) table.delete(device);
      return own;
    },
    change: async (device, session, change) => {
      const own = find(device, session);
      if (own === undefined || isWritten(own.presence, change)) return true;
      own.presence = { ...own.presence, ...change };
      await inTurn(device, own, async () => {
        own.revision = await bucket.update(device, own.presence, own.revision);
      });
      return !suspects.has(device);
    },
    restore: async (kept, all) => {
      if (all && table.size > 0) await restoreAll(kept);
      const devices = [...suspects];
      suspects.clear();
      for (const device of devices) {
        const own = table.get(device);
        if (own === undefined) continue;
        await inTurn(device, own, async () => restoreOne(device, own, await bucket.get(device), kept));
      }
    },
  };
}

/** Tells whether an entry has the changed values already. */
function isWritten({ state, audio, features }: Presence, change: PresenceChange): boolean {
  return (
    (change.state ?? state) === state &&
    (change.audio ?? audio) === audio &&
    (change.features?.mcp ?? false) === (change.features === undefined ? false : (features.mcp ?? false))
  );
}

/**
 * Writes an own entry back where the bucket lacks it, or returns how it was lost. In an intact bucket every other entry, or
 * a removal, is newer than ours. After a wipe the higher term wins.
 */
async function restoreEntry(
  bus: Bus,
  options: {
    readonly device: string;
    readonly own: OwnEntry;
    readonly found: Entry<Presence> | undefined;
    readonly kept: number;
  },
): Promise<Loss | undefined> {
  const { device, own, found, kept } = options;
  const { session, term } = own.presence;
  const other = found?.value;
  if (other?.session === session) {
    own.revision = found?.revision ?? 0;
    if (isWritten(other, own.presence)) return undefined;
  } else if (other === undefined) {
    if (own.revision <= kept) return "removed";
  } else if (kept > 0 || other.term >= term) return "replaced";
  own.revision = await bus.bucket(buckets.presence).update(device, own.presence, found?.revision ?? 0);
  if (other !== undefined && other.session !== session) {
    const body = { type: "disconnect", device, session: other.session, reason: "replaced" } as const;
    bus.publish(channels.command(other.gateway), { body });
  }
  return undefined;
}
