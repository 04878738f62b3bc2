import type { Entry } from "../bus.ts";

/** The entries of a watched bucket, by id. */
export interface WatchedEntries<V> {
  readonly entries: ReadonlyMap<string, Entry<V>>;
  /** Sets an entry, or deletes it for undefined. Calls `changed` if that makes a difference. */
  apply(id: string, entry: Entry<V> | undefined): void;
  /** Replaces all entries. Calls `changed` for each difference. */
  replace(snapshot: ReadonlyMap<string, Entry<V>>): void;
  /** Resolves after the first `replace` or `release`. */
  readonly filled: Promise<void>;
  /** Resolves `filled` without a snapshot. */
  release(): void;
}

/** Creates a view that is empty at first. `changed` must not throw. */
export function createWatchedEntries<V>(changed: (id: string, entry: Entry<V> | undefined) => void): WatchedEntries<V> {
  const entries = new Map<string, Entry<V>>();
  let release = (): void => undefined;
  const filled = new Promise<void>((resolve) => (release = resolve));
  const apply = (id: string, entry: Entry<V> | undefined): void => {
    if (entry === undefined) {
      if (entries.delete(id)) changed(id, undefined);
    } else if (entries.get(id)?.revision !== entry.revision) {
      entries.set(id, entry);
      changed(id, entry);
    }
  };
  return {
    entries,
    apply,
    replace: (snapshot) => {
      for (const id of entries.keys()) if (!snapshot.has(id)) apply(id, undefined);
      for (const [id, entry] of snapshot) apply(id, entry);
      release();
    },
    filled,
    release,
  };
}
