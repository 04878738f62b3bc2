const windowMs = 1000;
/** The most streams that are folded at once. */
const maxOpen = 4096;

/** Joins the items of each key that arrive within one second. */
export interface Fold<T> {
  /** Adds an item to those of its key. True if it is the first one. */
  add(key: string, item: T): boolean;
  /** Gives everything that has been joined so far, at once. */
  flush(): void;
}

/**
 * Creates a fold. `join` adds an item to the ones before it. `done` gets the sum of a key one second after its first item.
 * With more than 4096 keys, the oldest one is done early.
 */
export function createFold<T, S>(
  join: (sum: S | undefined, item: T) => S,
  done: (key: string, sum: S) => void,
): Fold<T> {
  const open = new Map<string, { sum: S; readonly timer: NodeJS.Timeout }>();
  const finish = (key: string): void => {
    const found = open.get(key);
    if (found === undefined) return;
    clearTimeout(found.timer);
    open.delete(key);
    done(key, found.sum);
  };
  return {
    add(key, item) {
      const found = open.get(key);
      if (found !== undefined) {
        found.sum = join(found.sum, item);
        return false;
      }
      if (open.size >= maxOpen) finish(open.keys().next().value!);
      open.set(key, { sum: join(undefined, item), timer: setTimeout(finish, windowMs, key) });
      return true;
    },
    flush: () => [...open.keys()].forEach(finish),
  };
}
