import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamManager } from "@nats-io/jetstream";
import { Kvm, type KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/transport-node";
import type { BucketName } from "@voxbus/protocol";
import type { Entry } from "../bus.ts";
import type { Publisher } from "../jetstream/publish.ts";
import type { Connection } from "../nats/connection.ts";

/** A change reaches a working watcher within this time, in ms. */
const arrivalMs = 500;

/** Dependencies of a watcher. */
export interface WatcherDeps {
  readonly connection: Connection;
  readonly jsm: JetStreamManager;
  readonly publisher: Publisher;
}

/** One open NATS watcher. It is replaced when it may have missed something. */
export interface Watcher<V> {
  readonly iterator: QueuedIterator<KvWatchEntry>;
  /** When the stream was created, as NATS writes it. */
  readonly created: string;
  /** The entries that came so far, until the first snapshot is complete. */
  readonly snapshot: Map<string, Entry<V>>;
  /** The newest revision that came, or that existed before. */
  seen: number;
  /** The stream's newest revision at the last check. A watcher that has not seen it by the next check is silent. */
  expected: number;
  /** True when the first snapshot is complete. */
  ready: boolean;
}

/** Opens a watcher of a bucket. */
export async function openWatcher<V>(deps: WatcherDeps, bucket: BucketName): Promise<Watcher<V>> {
  const { connection, jsm, publisher } = deps;
  const stream = connection.names.bucketStream(bucket);
  const kv = await new Kvm(connection.nc).open(connection.names.bucket(bucket));
  const before = await publisher.retry(stream, () => jsm.streams.info(stream));
  const iterator = await publisher.retry(stream, () => kv.watch());
  return {
    iterator,
    created: before.created,
    snapshot: new Map(),
    seen: before.state.last_seq,
    expected: 0,
    ready: false,
  };
}

/** Calls `take` with each change, until it returns false or the watcher ends. */
export async function readWatcher<V>(
  { connection }: WatcherDeps,
  { iterator }: Watcher<V>,
  take: (change: KvWatchEntry) => boolean,
): Promise<void> {
  try {
    for await (const change of iterator) if (!take(change)) return;
  } catch (err) {
    connection.log.warn({ err }, "watch failed");
  }
}

/** Stops a watcher and deletes its consumer, which nats-server would otherwise keep for 5 minutes. */
export function closeWatcher({ connection }: WatcherDeps, bucket: BucketName, { iterator }: Watcher<unknown>): void {
  iterator.stop();
  if (!connection.connected()) return;
  // nats.js has no public way to do this.
  const { _data: consumer } = iterator as unknown as { readonly _data: { delete(): Promise<boolean> } };
  consumer.delete().catch((err: unknown) => {
    // A bus that closes does not wait for the answer.
    if (!connection.nc.isClosed()) connection.log.info({ err, bucket }, "watcher deletion failed, left to expire");
  });
}

/** True when the stream's state shows that a watcher has missed something. */
export async function isStale<V>(
  { connection, jsm, publisher }: WatcherDeps,
  {
    bucket,
    watcher,
    entries,
  }: {
    readonly bucket: BucketName;
    readonly watcher: Watcher<V>;
    readonly entries: ReadonlyMap<string, Entry<V>>;
  },
): Promise<boolean> {
  const stream = connection.names.bucketStream(bucket);
  const { seen } = watcher;
  const { created, state } = await publisher.retry(stream, () => jsm.streams.info(stream));
  if (created !== watcher.created || watcher.seen < watcher.expected || state.last_seq < seen) return true;
  watcher.expected = state.last_seq;
  // An entry older than the stream's first message was purged without an event, or its change has not arrived yet.
  const isBelow = () => [...entries.values()].some(({ revision }) => revision < state.first_seq);
  if (!isBelow()) return false;
  await sleep(arrivalMs);
  return isBelow();
}
