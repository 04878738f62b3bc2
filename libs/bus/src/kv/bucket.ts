import { headers } from "@nats-io/transport-node";
import type { BucketRow } from "@voxbus/protocol";
import type { z } from "zod";
import type { Bucket, Entry } from "../bus.ts";
import { parseJson } from "../json.ts";
import { retryConflicts } from "../compare-and-set.ts";
import { ConflictError } from "../errors.ts";
import { watchBucket } from "./bucket-watch.ts";
import type { WatcherDeps } from "./watcher.ts";

/** The lifetime of the delete marker of a removed entry, long enough for watches to see it. */
const markerTtl = "1h";

/** The revision that a write expects, and the lifetime of what it writes. */
type WriteOptions = Pick<Parameters<WatcherDeps["publisher"]["publish"]>[0], "expected" | "ttl">;

/** Dependencies of a bucket. */
export type BucketDeps = WatcherDeps;

/** Opens one kind of entry of a bucket. The contract is `Bucket`. NATS's own key-value tools can read the format. */
export function openBucket<S extends z.ZodType>(deps: BucketDeps, row: BucketRow<S>): Bucket<z.input<S>, z.infer<S>> {
  const { jsm, publisher, connection } = deps;
  const { bucketStream, bucketSubject } = connection.names;
  const stream = bucketStream(row.bucket);
  const encoder = new TextEncoder();

  const subjectOf = (id: string): string => bucketSubject(row.bucket, row.key(id));
  const parse = (id: string, data: Uint8Array, revision: number): Entry<z.infer<S>> => {
    const { value, broken } = parseJson(row.schema, data);
    if (broken) connection.drops.report({ subject: subjectOf(id), reason: "bad-envelope", ...broken });
    return { id, value, revision };
  };

  const readLast = async (id: string) => {
    const query = { last_by_subj: subjectOf(id) };
    const found = await publisher.retry(stream, () => jsm.streams.getMessage(stream, query));
    if (found === null) return undefined;
    const removed = found.header?.has("KV-Operation") || found.header?.has("Nats-Marker-Reason");
    return { revision: found.seq, data: removed ? undefined : found.data };
  };

  const write = async (id: string, value: z.input<S>, options: WriteOptions = {}): Promise<number> => {
    const data = encoder.encode(JSON.stringify(value));
    const { seq } = await publisher.publish({ subject: subjectOf(id), data, stream, ...options });
    return seq;
  };

  const get = async (id: string): Promise<Entry<z.infer<S>> | undefined> => {
    const last = await readLast(id);
    return last?.data && parse(id, last.data, last.revision);
  };

  /** Runs a write that expects `revision`. For 0 the entry may be missing or removed. */
  const writeAt = async <T>(id: string, revision: number, write: (expected: number) => Promise<T>): Promise<T> => {
    try {
      return await write(revision);
    } catch (error) {
      if (!(error instanceof ConflictError) || revision !== 0) throw error;
      const last = await readLast(id);
      if (last === undefined || last.data !== undefined) throw error;
      return write(last.revision);
    }
  };

  const update = (id: string, value: z.input<S>, revision: number): Promise<number> =>
    writeAt(id, revision, (expected) => write(id, value, { expected }));

  const writeMarker = async (id: string, expected: number | undefined): Promise<void> => {
    const marker = headers();
    marker.set("KV-Operation", "DEL");
    const subject = subjectOf(id);
    const data = new Uint8Array();
    await publisher.publish({ subject, data, stream, expected, headers: marker, ttl: markerTtl });
  };

  return {
    get,
    update,
    put: (id, value, { ttlMs } = {}) => write(id, value, ttlMs === undefined ? {} : { ttl: `${ttlMs / 1000}s` }),
    ids: async (prefix) => {
      const filter = prefix === undefined ? ">" : `${row.key(prefix)}.>`;
      const query = { subjects_filter: bucketSubject(row.bucket, filter) };
      const { state } = await publisher.retry(stream, () => jsm.streams.info(stream, query));
      const start = bucketSubject(row.bucket, "").length;
      return Object.keys(state.subjects ?? {}).flatMap((subject) => row.idOf(subject.slice(start)) ?? []);
    },
    modify: (id, change) =>
      retryConflicts(async () => {
        const entry = await get(id);
        const value = await change(entry?.value);
        if (value !== undefined) await update(id, value, entry?.revision ?? 0);
      }),
    remove: (id, revision) =>
      revision === undefined
        ? writeMarker(id, undefined)
        : writeAt(id, revision, (expected) => writeMarker(id, expected)),
    watch: (changed) => watchBucket(deps, { row, parse, changed }),
  };
}
