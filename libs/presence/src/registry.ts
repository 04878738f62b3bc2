import { setTimeout as sleep } from "node:timers/promises";
import { buckets, channels, type Presence } from "@voxbus/protocol";
import { ulid } from "ulid";
import { BusAwayError, ConflictError, type Bus, type BusLog, type Entry } from "@voxbus/bus";
import { createLease, type LeaseOptions } from "./lease.ts";
import type { Registry } from "./presence.ts";

const renewMs = 3000;
const retryMs = 500;

/** Who a gateway is, to its registry. */
export interface RegistryOptions extends Omit<LeaseOptions, "epoch"> {
  /** Default: a new one. */
  readonly epoch?: string;
  /** A newer session, elsewhere, holds the device: its socket here is dead and is to be closed as `replaced`. */
  readonly taken?: (device: string, session: string) => void;
  readonly log?: BusLog;
}

interface Own {
  presence: Presence;
  revision: number;
  /** Writes of one device go one after the other. */
  tail: Promise<void>;
}

/**
 * Keeps a gateway's lease and its devices' presence; resolves when the lease is written. After a wipe of the bucket, or
 * a reconnect, presence is put back with its old terms. Throws when a newer process holds the id.
 */
export async function createRegistry(bus: Bus, options: RegistryOptions): Promise<Registry> {
  const { id, epoch = ulid(), log } = options;
  const bucket = bus.bucket(buckets.presence);
  const canaries = bus.bucket(buckets.canaries);
  const lease = createLease(bus, { ...options, epoch });
  const mine = new Map<string, Own>();
  /** Devices whose entry was not what we had written. */
  const suspects = new Set<string>();
  let canary = 0;
  let isDraining = false;
  let hasReconnected = false;
  let closed = false;
  let beating: Promise<void> | undefined;
  let beatAgain = false;

  /** Renews the canary; false when the bucket is not the one that it was. */
  const isIntact = async (): Promise<boolean> => {
    try {
      canary = await canaries.update(id, { epoch }, canary);
      return true;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
    }
    const other = (await canaries.get(id))?.value;
    if (other !== undefined && other.epoch > epoch) throw new Error(`a newer process holds the gateway id ${id}`);
    canary = await canaries.put(id, { epoch });
    return false;
  };

  /** Runs `work` after the device's earlier writes, if the entry is still ours. */
  const inTurn = (device: string, own: Own, work: () => Promise<void>): Promise<void> => {
    own.tail = own.tail.then(async () => {
      if (mine.get(device) !== own) return;
      try {
        await work();
      } catch (err) {
        suspects.add(device);
        if (!(err instanceof ConflictError)) log?.warn({ err, device }, "presence write failed");
      }
    });
    return own.tail;
  };

  /**
   * Makes the entry ours again where that is right, and gives it up where it is not. In a bucket that lost nothing
   * (`kept`: up to that revision), whatever stands there, or was removed, came after us; after a wipe the higher term wins.
   */
  const compare = async (device: string, own: Own, entry: Entry<Presence> | undefined, kept: number): Promise<void> => {
    const found = entry?.value;
    const { session, term, state } = own.presence;
    if (found?.session === session) {
      own.revision = entry?.revision ?? 0;
      if (found.state === state) return;
    } else if (found === undefined ? own.revision <= kept : kept > 0 || found.term > term) {
      mine.delete(device);
      options.taken?.(device, session);
      return;
    }
    own.revision = await bucket.update(device, own.presence, entry?.revision ?? 0);
    if (found !== undefined && found.session !== session) {
      const { session, gateway } = found;
      bus.publish(channels.command(gateway), { body: { type: "disconnect", device, session, reason: "replaced" } });
    }
  };

  const compareAll = async (kept: number): Promise<void> => {
    suspects.clear();
    const snapshot = await bucket.watch();
    snapshot.close();
    const { entries } = snapshot;
    await Promise.all(
      [...mine].map(([device, own]) => inTurn(device, own, () => compare(device, own, entries.get(device), kept))),
    );
  };

  const compareSuspects = async (kept: number): Promise<void> => {
    const devices = [...suspects];
    suspects.clear();
    for (const device of devices) {
      const own = mine.get(device);
      if (own === undefined) continue;
      await inTurn(device, own, async () => compare(device, own, await bucket.get(device), kept));
    }
  };

  const beatOnce = async (): Promise<void> => {
    const all = hasReconnected;
    hasReconnected = false;
    const before = canary;
    const intact = await isIntact();
    const kept = intact ? before : 0;
    if (mine.size > 0 && (all || !intact)) await compareAll(kept);
    await compareSuspects(kept);
    await lease.renew(isDraining);
  };

  /** Renews canary and lease and settles what is not as it was left; one run at a time. */
  const beat = (): Promise<void> => {
    beatAgain = true;
    beating ??= (async () => {
      for (;;) {
        if (!beatAgain || closed) break;
        beatAgain = false;
        await beatOnce();
      }
    })().finally(() => (beating = undefined));
    return beating;
  };

  const beatQuietly = (): void => {
    if (closed || !bus.connected()) return;
    beat().catch((err: unknown) => log?.error({ err, id }, "lease renewal failed"));
  };

  await lease.renew(isDraining);
  canary = await canaries.put(id, { epoch });
  const timer = setInterval(beatQuietly, renewMs);
  const watch = bus.onChange((connected) => {
    if (!connected) return;
    hasReconnected = true;
    beatQuietly();
  });

  return {
    enter: async (device, given, signal) => {
      for (let tried = 0; ;) {
        signal.throwIfAborted();
        let found: Presence | undefined;
        try {
          const entry = await bucket.get(device);
          found = entry?.value;
          if (tried === 0 || found === undefined || found.term <= tried) {
            const term = Math.max(found?.term ?? 0, tried) + 1;
            const presence = { ...given, term, gateway: id, epoch };
            tried = term;
            const revision = await bucket.update(device, presence, entry?.revision ?? 0);
            if (signal.aborted) await bucket.remove(device, revision);
            signal.throwIfAborted();
            mine.set(device, { presence, revision, tail: Promise.resolve() });
            return { term, previous: found };
          }
        } catch (error) {
          if (error instanceof BusAwayError) await sleep(retryMs, undefined, { signal });
          else if (!(error instanceof ConflictError)) throw error;
          continue;
        }
        throw new ConflictError(`a session with the higher term ${found.term} holds the device`);
      }
    },
    update: (device, session, state) => {
      const own = mine.get(device);
      if (own === undefined || own.presence.session !== session || own.presence.state === state) return;
      own.presence = { ...own.presence, state };
      void inTurn(device, own, async () => {
        own.revision = await bucket.update(device, own.presence, own.revision);
      }).then(() => suspects.has(device) && beatQuietly());
    },
    leave: async (device, session) => {
      const own = mine.get(device);
      if (own === undefined || own.presence.session !== session) return;
      mine.delete(device);
      await own.tail;
      for (let { revision } = own; ;) {
        if (closed) return;
        try {
          await bucket.remove(device, revision);
          return;
        } catch (error) {
          if (error instanceof BusAwayError) await sleep(retryMs);
          else if (!(error instanceof ConflictError)) throw error;
        }
        const entry = await bucket.get(device);
        if (entry?.value?.session !== session) return;
        revision = entry?.revision ?? 0;
      }
    },
    draining: async () => {
      isDraining = true;
      await beat();
    },
    close: async () => {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      watch.close();
      try {
        await beating;
        await lease.remove();
        await canaries.remove(id);
      } catch (err) {
        log?.warn({ err, id }, "lease removal failed, left to expire");
      }
    },
  };
}
