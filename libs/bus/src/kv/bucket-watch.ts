import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamManager } from "@nats-io/jetstream";
import { Kvm, type KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/transport-node";
import type { BucketName, BucketWatch, Entry } from "../bus.ts";
import type { Link } from "../nats/connection.ts";
import type { Storage } from "../jetstream/publish.ts";
import { bucketStream } from "../jetstream/streams.ts";

const checkMs = 3000;
const retryMs = 500;
/** Within this time a change has come to a watcher that works, ms. */
const arrivalMs = 500;

/** What a watch stands on. */
export interface WatchBase {
  readonly link: Link;
  readonly jsm: JetStreamManager;
  readonly storage: Storage;
}

/** One opened watcher of NATS: it fills `entries` until it is left for a new one. */
interface Watcher {
  readonly iterator: QueuedIterator<KvWatchEntry>;
  readonly created: string;
  readonly entries: Map<string, Entry>;
  /** The newest revision that came, or that was there before. */
  seen: number;
  /** What the stream said at the last check; not seen by the next one, the watcher is silent. */
  expected: number;
  ready: boolean;
}

/**
 * Watches a bucket; the contract is `Bucket.watch`. NATS tells a watcher nothing when its bucket was purged or made
 * anew (docs/bus.md), so the state of the stream is compared every 3 s with what has come.
 */
export async function watchBucket(
  base: WatchBase,
  name: BucketName,
  changed: (key: string, entry: Entry | undefined) => void = () => undefined,
): Promise<BucketWatch> {
  const { link, jsm, storage } = base;
  const { log } = link;
  const stream = bucketStream(name);
  const entries = new Map<string, Entry>();
  let current: Watcher | undefined;
  let opening = false;
  let closed = false;
  let started = (): void => undefined;
  const ready = new Promise<void>((resolve) => (started = resolve));

  const tell = (key: string, entry: Entry | undefined): void => {
    try {
      changed(key, entry);
    } catch (err) {
      log.error({ err, bucket: name, key }, "a change of a bucket could not be handled");
    }
  };

  const apply = (key: string, entry: Entry | undefined): void => {
    if (entry === undefined) {
      if (entries.delete(key)) tell(key, undefined);
    } else if (entries.get(key)?.revision !== entry.revision) {
      entries.set(key, entry);
      tell(key, entry);
    }
  };

  const finishSnapshot = (watcher: Watcher): void => {
    if (watcher.ready || watcher !== current) return;
    watcher.ready = true;
    for (const key of entries.keys()) if (!watcher.entries.has(key)) apply(key, undefined);
    for (const [key, entry] of watcher.entries) apply(key, entry);
    watcher.entries.clear();
    started();
  };

  /** Stops a watcher and deletes its consumer, which nats-server would keep for 5 minutes otherwise. */
  const leave = (iterator: Watcher["iterator"]): void => {
    iterator.stop();
    if (!link.connected()) return;
    // nats.js has no door to this.
    const { _data: consumer } = iterator as unknown as { readonly _data: { delete(): Promise<boolean> } };
    consumer.delete().catch((err: unknown) => {
      // A bus that closes has asked for it, and does not wait for the answer.
      if (!link.nc.isClosed()) log.info({ err, bucket: name }, "a watcher was left to expire");
    });
  };

  const fill = async (watcher: Watcher): Promise<void> => {
    for await (const { key, operation, value, revision, isUpdate } of watcher.iterator) {
      if (watcher !== current) return;
      watcher.seen = Math.max(watcher.seen, revision);
      const entry = operation === "PUT" ? parseEntry(key, value, revision) : undefined;
      if (entry === null) log.warn({ bucket: name, key }, "a value in a bucket is not JSON and was passed over");
      else if (watcher.ready) apply(key, entry);
      else if (entry === undefined) watcher.entries.delete(key);
      else watcher.entries.set(key, entry);
      if (isUpdate) finishSnapshot(watcher);
    }
    if (watcher === current) void reopen();
  };

  const open = async (): Promise<void> => {
    const kv = await new Kvm(link.nc).open(bucketStream(name).slice("KV_".length));
    const before = await storage.persist(stream, () => jsm.streams.info(stream));
    const iterator = await storage.persist(stream, () => kv.watch());
    const watcher: Watcher = {
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
        log.warn({ err, bucket: name }, "a bucket cannot be watched now; trying again");
        await sleep(retryMs);
      }
    }
    opening = false;
  }

  const isStale = async (watcher: Watcher): Promise<boolean> => {
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
    if (watcher === undefined || !watcher.ready || opening || !link.connected()) return;
    try {
      if ((await isStale(watcher)) && watcher === current) await reopen();
    } catch (err) {
      log.warn({ err, bucket: name }, "a watch could not be checked");
    }
  };

  const timer = setInterval(() => void check(), checkMs);
  const watch = link.onChange((connected) => connected && void reopen());
  const close = (): void => {
    closed = true;
    clearInterval(timer);
    watch.close();
    closing.close();
    if (current) leave(current.iterator);
    started();
  };
  const closing = link.onClose(close);
  void reopen();
  await ready;
  return { entries, close };
}

function parseEntry(key: string, value: Uint8Array, revision: number): Entry | null {
  try {
    return { key, value: JSON.parse(new TextDecoder().decode(value)) as unknown, revision };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
