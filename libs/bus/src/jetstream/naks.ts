import { setTimeout as sleep } from "node:timers/promises";
import { nuid } from "@nats-io/transport-node";
import type { Bucket } from "../bus.ts";
import type { BusLog } from "../config.ts";

const collectMs = 20;
const patienceMs = 1000;
/** The maximum number of claim keys in one entry. */
const maxKeys = 10_000;

/**
 * How often draining workers have nakked each claim of one consumer. NATS counts such a nak as a delivery, but it is not a
 * failure of the message. The bucket `naks` has one entry for all the naks of a drain.
 */
export interface Naks {
  /** Notes that a claim is about to be nakked. Resolves within 1 s, even when the note failed. */
  note(key: string): Promise<void>;
  /** The number of notes of a claim. Throws BusAwayError. */
  count(key: string): Promise<number>;
}

/** Creates the nak notes of one consumer. */
export function createNaks(
  { bucket, log }: { readonly bucket: Bucket<string[], string[]>; readonly log: BusLog },
  { stream, durable }: { readonly stream: string; readonly durable: string },
): Naks {
  const prefix = `${stream}.${durable}`;
  let collected: string[] = [];
  let writing: Promise<void> | undefined;
  /** The contents of each entry, which never changes. */
  const known = new Map<string, ReadonlySet<string>>();
  let reading: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    await sleep(collectMs);
    writing = undefined;
    const all = collected;
    collected = [];
    for (let i = 0; i < all.length; i += maxKeys) {
      await bucket.put(`${prefix}.${nuid.next()}`, all.slice(i, i + maxKeys));
    }
  };

  const read = async (): Promise<void> => {
    const ids = new Set(await bucket.ids(prefix));
    for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    for (const id of ids) {
      if (known.has(id)) continue;
      const entry = await bucket.get(id);
      // An entry that does not decode counts as empty, and is not read again.
      if (entry !== undefined) known.set(id, new Set(entry.value));
    }
  };

  return {
    note: async (key) => {
      collected.push(key);
      writing ??= write().catch((err: unknown) => {
        log.warn({ err, durable }, "nak note failed, naks count as failures");
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
