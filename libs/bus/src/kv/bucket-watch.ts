import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamManager } from "@nats-io/jetstream";
import { Kvm, type KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/transport-node";
import type { BucketRow } from "@voxbus/protocol";
import type { z } from "zod";
import type { BucketWatch, Entry } from "../bus.ts";
import type { Connection } from "../nats/connection.ts";
import type { Storage } from "../jetstream/publish.ts";
import { bucketStream } from "../jetstream/streams.ts";

const checkMs = 3000;
const retryMs = 500;
/** Within this time a change has come to a watcher that works, ms. */
const arrivalMs = 500;

/** Dependencies of a watch. */
export interface WatchDeps {
  readonly connection: Connection;
  readonly jsm: JetStreamManager;
  readonly storage: Storage;
}

/** Options of a watch: the kind of entry, its parser, and what is called at each change. */
interface WatchOptions<S extends z.ZodType> {
  readonly row: BucketRow<S>;
  readonly parse: (id: string, data: Uint8Array, revision: number) => Entry<z.infer<S>>;
  readonly changed: ((id: string, entry: Entry<z.infer<S>> | undefined) => void) | undefined;
}

/** One open NATS watcher. It fills `entries` until a new one replaces it. */
interface Watcher<V> {
  readonly iterator: QueuedIterator<KvWatchEntry>;
  readonly created: string;
  readonly entries: Map<string, Entry<V>>;
  /** The newest revision that came, or that was there before. */
  seen: number;
  /** What the stream said at the last check; not seen by the next one, the watcher is silent. */
  expected: number;
  ready: boolean;
}

/**
 * Watches a bucket; the contract is `Bucket.watch`. NATS tells a watcher nothing when its bucket was purged or created
 * again (docs/bus.md), so the state of the stream is compared every 3 s with what has come.
 */
export async function watchBucket<S extends z.ZodType>(
  { connection, jsm, storage }: WatchDeps,
  { row, parse, changed }: WatchOptions<S>,
): Promise<BucketWatch<z.infer<S>>> {
  const name = row.bucket;
  const { log } = connection;
  const stream = bucketStream(name);
  const entries = new Map<string, Entry<z.infer<S>>>();
  let current: Watcher<z.infer<S>> | undefined;
  let opening = false;
  let closed = false;
  let started = (): void => undefined;
  const ready = new Promise<void>((resolve) => (started = resolve));

  const notify = (id: string, entry: Entry<z.infer<S>> | undefined): void => {
    try {
      changed?.(id, entry);
    } catch (err) {
      log.error({ err, bucket: name, id }, "watch handler failed");
    }
  };

  const apply = (id: string, entry: Entry<z.infer<S>> | undefined): void => {
    if (entry === undefined) {
      if (entries.delete(id)) notify(id, undefined);
    } else if (entries.get(id)?.revision !== entry.revision) {
      entries.set(id, entry);
      notify(id, entry);
    }
  };

  const finishSnapshot = (watcher: Watcher<z.infer<S>>): void => {
    if (watcher.ready || watcher !== current) return;
    watcher.ready = true;
    for (const id of entries.keys()) if (!watcher.entries.has(id)) apply(id, undefined);
    for (const [id, entry] of watcher.entries) apply(id, entry);
    watcher.entries.clear();
    started();
  };

  /** Stops a watcher and deletes its consumer, which nats-server would keep for 5 minutes otherwise. */
  const leave = (iterator: Watcher<unknown>["iterator"]): void => {
    iterator.stop();
    if (!connection.connected()) return;
    // nats.js has no public way to this.
    const { _data: consumer } = iterator as unknown as { readonly _data: { delete(): Promise<boolean> } };
    consumer.delete().catch((err: unknown) => {
      // A closing bus does not wait for the answer.
      if (!connection.nc.isClosed()) log.info({ err, bucket: name }, "watcher deletion failed, left to expire");
    });
  };

  const fill = async (watcher: Watcher<z.infer<S>>): Promise<void> => {
    for await (const { key, operation, value, revision, isUpdate } of watcher.iterator) {
      if (watcher !== current) return;
      watcher.seen = Math.max(watcher.seen, revision);
      const id = row.idOf(key);
      if (id !== undefined) {
        const entry = operation === "PUT" ? parse(id, value, revision) : undefined;
        if (watcher.ready) apply(id, entry);
        else if (entry === undefined) watcher.entries.delete(id);
        else watcher.entries.set(id, entry);
      }
      if (isUpdate) finishSnapshot(watcher);
    }
    if (watcher === current) void reopen();
  };

  const open = async (): Promise<void> => {
    const kv = await new Kvm(connection.nc).open(bucketStream(name).slice("KV_".length));
    const before = await storage.persist(stream, () => jsm.streams.info(stream));
    const iterator = await storage.persist(stream, () => kv.watch());
    const watcher: Watcher<z.infer<S>> = {
      iterator,
      created: before.created,
      entries: new Map(),
      seen: before.state.last_seq,
      expected: 0,
      ready: false,
    };
    if (closed) return leave(iterator);
    if (current) leave(current.iterator);
    current = watcher;
    void fill(watcher);
    // Nothing comes of an empty bucket; of one that holds something, something comes.
    const { state } = await storage.persist(stream, () => jsm.streams.info(stream));
    if (state.messages === 0) finishSnapshot(watcher);
  };

  async function reopen(): Promise<void> {
    if (opening || closed) return;
    opening = true;
    for (;;) {
      try {
        await open();
        break;
      } catch (err) {
        if (closed) break;
        log.warn({ err, bucket: name }, "bucket unavailable, retrying");
        await sleep(retryMs);
      }
    }
    opening = false;
  }

  const isStale = async (watcher: Watcher<z.infer<S>>): Promise<boolean> => {
    const { seen } = watcher;
    const { created, state } = await storage.persist(stream, () => jsm.streams.info(stream));
    if (created !== watcher.created || watcher.seen < watcher.expected || state.last_seq < seen) return true;
    watcher.expected = state.last_seq;
    // A key of mine below the stream's first message was purged without an event; or a change of it is still on its way.
    const isBelow = () => [...entries.values()].some(({ revision }) => revision < state.first_seq);
    if (!isBelow()) return false;
    await sleep(arrivalMs);
    return isBelow();
  };

  const check = async (): Promise<void> => {
    const watcher = current;
    if (watcher === undefined || !watcher.ready || opening || !connection.connected()) return;
    try {
      if ((await isStale(watcher)) && watcher === current) await reopen();
    } catch (err) {
      log.warn({ err, bucket: name }, "watch check failed");
    }
  };

  const timer = setInterval(() => void check(), checkMs);
  const watch = connection.onChange((connected) => connected && void reopen());
  const close = (): void => {
    closed = true;
    clearInterval(timer);
    watch.close();
    closing.close();
    if (current) leave(current.iterator);
    started();
  };
  const closing = connection.onClose(close);
  void reopen();
  await ready;
  return { entries, close };
}
