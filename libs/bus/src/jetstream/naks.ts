import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamManager } from "@nats-io/jetstream";
import { nuid } from "@nats-io/transport-node";
import type { StreamName } from "../bus.ts";
import type { Link } from "../nats/connection.ts";
import type { Storage } from "./publish.ts";
import { bucketStream, bucketSubject } from "./streams.ts";

/** As long as the longest-lived message that can be claimed (docs/bus.md, streams). */
const keepFor = "6h";
const gatherMs = 20;
const patienceMs = 1000;
/** So many keys of claims fit into one message. */
const mostInOne = 10_000;

/** What the notes of hand-backs stand on. */
interface HandBackBase {
  readonly link: Link;
  readonly jsm: JetStreamManager;
  readonly storage: Storage;
}

/**
 * How often claims of one consumer were handed back by workers that drained: NATS counts each of these as a delivery, but
 * they say nothing against the message. Kept in the bucket `monitor`, one key for all that a worker hands back.
 */
export interface HandBacks {
  /** Notes that a claim is about to be handed back. Resolves after 1 s at most, also when it could not be noted. */
  note(key: string): Promise<void>;
  /** How often it was. Throws BusAwayError. */
  count(key: string): Promise<number>;
}

/** Creates the notes of one consumer. */
export function createHandBacks(base: HandBackBase, of: { stream: StreamName; durable: string }): HandBacks {
  const { link, jsm, storage } = base;
  const bucket = bucketStream("monitor");
  const prefix = `=handback.${of.stream}.${of.durable}`;
  let gathered: string[] = [];
  let writing: Promise<void> | undefined;
  /** What each key of the bucket holds; none is written twice. */
  const known = new Map<string, ReadonlySet<string>>();
  let reading: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    await sleep(gatherMs);
    writing = undefined;
    const all = gathered;
    gathered = [];
    for (let i = 0; i < all.length; i += mostInOne) {
      const data = new TextEncoder().encode(JSON.stringify(all.slice(i, i + mostInOne)));
      const subject = bucketSubject("monitor", `${prefix}.${nuid.next()}`);
      await storage.store({ subject, data, stream: bucket, ttl: keepFor });
    }
  };

  const read = async (): Promise<void> => {
    const query = { subjects_filter: bucketSubject("monitor", `${prefix}.>`) };
    const { state } = await storage.persist(bucket, () => jsm.streams.info(bucket, query));
    const subjects = Object.keys(state.subjects ?? {});
    for (const subject of known.keys()) if (!subjects.includes(subject)) known.delete(subject);
    for (const subject of subjects) {
      if (known.has(subject)) continue;
      const found = await storage.persist(bucket, () => jsm.streams.getMessage(bucket, { last_by_subj: subject }));
      if (found !== null) known.set(subject, new Set(found.json<readonly string[]>()));
    }
  };

  return {
    note: async (key) => {
      gathered.push(key);
      writing ??= write().catch((err: unknown) => {
        link.log.warn({ err, durable: of.durable }, "hand-backs could not be noted: they count as failures");
      });
      await Promise.race([writing, sleep(patienceMs, undefined, { ref: false })]);
    },
    count: async (key) => {
      // One read at a time; who asks while one runs shares the next, which sees all that was noted before.
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
