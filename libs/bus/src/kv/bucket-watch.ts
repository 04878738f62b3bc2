import { setTimeout as sleep } from "node:timers/promises";
import type { KvWatchEntry } from "@nats-io/kv";
import type { BucketRow } from "@voxbus/protocol";
import type { z } from "zod";
import type { BucketWatch, Entry } from "../bus.ts";
import { DeniedError } from "../errors.ts";
import { createWatchedEntries, type WatchedEntries } from "./watched-entries.ts";
import { closeWatcher, isStale, openWatcher, readWatcher, type Watcher, type WatcherDeps } from "./watcher.ts";

const checkMs = 3000;
const retryMs = 500;

/** Options of a watch. */
interface WatchOptions<S extends z.ZodType> {
  /** The kind of entry. */
  readonly row: BucketRow<S>;
  readonly parse: (id: string, data: Uint8Array, revision: number) => Entry<z.infer<S>>;
  /** Called at each change. */
  readonly changed: ((id: string, entry: Entry<z.infer<S>> | undefined) => unknown) | undefined;
}

/**
 * Watches a bucket. The contract is `Bucket.watch`. A NATS watcher stays silent after its bucket was purged or created
 * again. So the state of the stream is compared every 3 s with what the watcher has seen.
 */
export async function watchBucket<S extends z.ZodType>(
  deps: WatcherDeps,
  { row, parse, changed }: WatchOptions<S>,
): Promise<BucketWatch<z.infer<S>>> {
  type V = z.infer<S>;
  const { bucket } = row;
  const { connection, jsm, publisher } = deps;
  const { log } = connection;
  let current: Watcher<V> | undefined;
  let reopening = false;
  let openedAt = -Infinity;
  let closed = false;
  let denied: DeniedError | undefined;
  const view = createWatchedEntries<V>((id, entry) => {
    connection.drops.guard(connection.names.bucketSubject(bucket, row.key(id)), () => changed?.(id, entry));
  });

  const open = async (): Promise<void> => {
    const watcher = await openWatcher<V>(deps, bucket);
    if (closed) return closeWatcher(deps, bucket, watcher);
    if (current) closeWatcher(deps, bucket, current);
    current = watcher;
    void read(watcher);
    // An empty bucket sends nothing. Any other sends at least one entry, which completes the snapshot.
    const stream = connection.names.bucketStream(bucket);
    const { state } = await publisher.retry(stream, () => jsm.streams.info(stream));
    if (state.messages === 0 && watcher === current) finishSnapshot(watcher, view);
  };

  const read = async (watcher: Watcher<V>): Promise<void> => {
    await readWatcher(deps, watcher, (change) => {
      if (watcher === current) takeChange(watcher, view, { change, row, parse });
      return watcher === current;
    });
    if (watcher === current) void reopen();
  };

  async function reopen(): Promise<void> {
    if (reopening || closed) return;
    reopening = true;
    // A watcher may end as soon as it is open.
    await sleep(Math.max(0, openedAt + retryMs - performance.now()));
    for (;;) {
      try {
        await open();
        openedAt = performance.now();
        break;
      } catch (err) {
        if (current === undefined && err instanceof DeniedError) denied = err;
        if (denied !== undefined) close();
        if (closed) break;
        log.warn({ err, bucket }, "bucket unavailable, retrying");
        await sleep(retryMs);
      }
    }
    reopening = false;
  }

  const check = async (): Promise<void> => {
    const watcher = current;
    if (watcher === undefined || !watcher.ready || reopening || !connection.connected()) return;
    if ((await looksStale(deps, { bucket, watcher, entries: view.entries })) && watcher === current) await reopen();
  };

  const timer = setInterval(() => void check(), checkMs);
  const watch = connection.onChange((connected) => connected && void reopen());
  const close = (): void => {
    closed = true;
    clearInterval(timer);
    watch.close();
    closing.close();
    if (current) closeWatcher(deps, bucket, current);
    view.release();
  };
  const closing = connection.onClose(close);
  void reopen();
  await view.filled;
  if (denied !== undefined) throw denied;
  return { entries: view.entries, close };
}

/** True when a watcher is known to be stale. A failed check is logged. */
async function looksStale(deps: WatcherDeps, watched: Parameters<typeof isStale>[1]): Promise<boolean> {
  try {
    return await isStale(deps, watched);
  } catch (err) {
    deps.connection.log.warn({ err, bucket: watched.bucket }, "watch check failed");
    return false;
  }
}

/** Applies a change: to the snapshot while it is incomplete, then to the view. */
function takeChange<S extends z.ZodType>(
  watcher: Watcher<z.infer<S>>,
  view: WatchedEntries<z.infer<S>>,
  { change, row, parse }: { readonly change: KvWatchEntry } & Pick<WatchOptions<S>, "row" | "parse">,
): void {
  const { key, operation, value, revision, isUpdate } = change;
  watcher.seen = Math.max(watcher.seen, revision);
  const id = row.idOf(key);
  if (id !== undefined) {
    const entry = operation === "PUT" ? parse(id, value, revision) : undefined;
    if (watcher.ready) view.apply(id, entry);
    else if (entry === undefined) watcher.snapshot.delete(id);
    else watcher.snapshot.set(id, entry);
  }
  // True for the last entry of the snapshot and for every later change.
  if (isUpdate) finishSnapshot(watcher, view);
}

function finishSnapshot<V>(watcher: Watcher<V>, view: WatchedEntries<V>): void {
  if (watcher.ready) return;
  watcher.ready = true;
  view.replace(watcher.snapshot);
  watcher.snapshot.clear();
}
