import type { JetStreamManager } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { ConflictError, type Bucket, type BucketName, type Entry } from "../bus.ts";
import { watchBucket, type WatchBase } from "./bucket-watch.ts";
import type { Storage } from "../jetstream/publish.ts";
import { bucketStream, bucketSubject } from "../jetstream/streams.ts";

/** How long the mark of a removed key stays, so that it is seen, and then goes. */
const markTtl = "1h";

/** What buckets stand on. */
export interface BucketBase extends WatchBase {
  readonly jsm: JetStreamManager;
  readonly storage: Storage;
}

/** Opens a bucket; the contract is `Bucket`. The form is NATS KV's, so that its tools read it. */
export function openBucket(base: BucketBase, name: BucketName): Bucket {
  const { jsm, storage } = base;
  const stream = bucketStream(name);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();

  const readLast = async (key: string) => {
    const query = { last_by_subj: bucketSubject(name, key) };
    const found = await storage.persist(stream, () => jsm.streams.getMessage(stream, query));
    if (found === null) return undefined;
    const gone = found.header?.has("KV-Operation") || found.header?.has("Nats-Marker-Reason");
    return { revision: found.seq, text: gone ? undefined : decoder.decode(found.data) };
  };

  const write = async (
    key: string,
    value: unknown,
    { expected, ttlMs }: { readonly expected?: number; readonly ttlMs?: number | undefined },
  ): Promise<number> => {
    const data = encoder.encode(JSON.stringify(value));
    const ttl = ttlMs === undefined ? {} : { ttl: `${Math.ceil(ttlMs / 1000)}s` };
    const { seq } = await storage.store({ subject: bucketSubject(name, key), data, stream, expected, ...ttl });
    return seq;
  };

  return {
    get: async (key) => {
      const last = await readLast(key);
      if (last?.text === undefined) return undefined;
      return { key, value: parseValue(last.text), revision: last.revision } satisfies Entry;
    },
    keys: async (prefix) => {
      const query = { subjects_filter: bucketSubject(name, `${prefix}.>`) };
      const { state } = await storage.persist(stream, () => jsm.streams.info(stream, query));
      return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(bucketSubject(name, "").length));
    },
    put: (key, value, options = {}) => write(key, value, options),
    update: async (key, value, revision, { ttlMs } = {}) => {
      try {
        return await write(key, value, { expected: revision, ttlMs });
      } catch (error) {
        if (!(error instanceof ConflictError) || revision !== 0) throw error;
        const last = await readLast(key);
        if (last === undefined || last.text !== undefined) throw error;
        return write(key, value, { expected: last.revision, ttlMs });
      }
    },
    remove: async (key, revision) => {
      const mark = headers();
      mark.set("KV-Operation", "DEL");
      await storage.store({
        subject: bucketSubject(name, key),
        data: new Uint8Array(),
        stream,
        expected: revision,
        headers: mark,
        ttl: markTtl,
      });
    },
    watch: (changed) => watchBucket(base, name, changed),
  };
}

// Whoever reads it finds that it fits no schema, as with any other record that is not right, and may write over it.
function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
