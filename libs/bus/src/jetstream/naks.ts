import { setTimeout as sleep } from "node:timers/promises";
import { nuid } from "@nats-io/transport-node";
import { buckets } from "@voxbus/protocol";
import { openBucket, type BucketDeps } from "../kv/bucket.ts";

const gatherMs = 20;
const patienceMs = 1000;
/** The most claim keys in one entry. */
const maxKeys = 10_000;

/**
 * The number of times that each claim of one consumer was nakked by a draining worker. NATS counts each of these as a
 * delivery, but they say nothing against the message. Kept in the bucket `naks`, one entry for all that a worker naks.
 */
export interface Naks {
  /** Notes that a claim is about to be nakked. Resolves after 1 s at most, even when the note failed. */
  note(key: string): Promise<void>;
  /** The number of notes of a claim. Throws BusAwayError. */
  count(key: string): Promise<number>;
}

/** Creates the notes of one consumer. */
export function createNaks(deps: BucketDeps, { stream, durable }: { stream: string; durable: string }): Naks {
  const { log } = deps.connection;
  const bucket = openBucket(deps, buckets.naks);
  const prefix = `${stream}.${durable}`;
  let gathered: string[] = [];
  let writing: Promise<void> | undefined;
  /** The contents of each entry, which never changes. */
  const known = new Map<string, ReadonlySet<string>>();
  let reading: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    await sleep(gatherMs);
    writing = undefined;
    const all = gathered;
    gathered = [];
    for (let i = 0; i < all.length; i += maxKeys) {
      await bucket.put(`${prefix}.${nuid.next()}`, all.slice(i, i + maxKeys));
    }
  };

  const read = async (): Promise<void> => {
    const ids = new Set(await bucket.ids(prefix));
    for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    for (const id of ids) {
      if (known.has(id)) continue;
      const keys = (await bucket.get(id))?.value;
      if (keys !== undefined) known.set(id, new Set(keys));
    }
  };

  return {
    note: async (key) => {
      gathered.push(key);
      writing ??= write().catch((err: unknown) => {
        log.warn({ err, durable }, "nak notes not written, naks count as failures");
      });
      await Promise.race([writing, sleep(patienceMs, undefined, { ref: false })]);
    },
    count: async (key) => {
      // One read at a time. Calls that arrive while one runs share the next, which sees everything noted before.
      next ??= reading.then(() => {
        next = undefined;
        const done = read();
        reading = done.catch(() => undefined);
        return done;
      });
      await next;
      return [...known.values()].filter((keys) => keys.has(key)).length;
    },
  };
}
