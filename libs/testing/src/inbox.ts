/** A growing list of received items that a test can wait for. */
export interface Inbox<T> {
  /** Everything received so far, in order. */
  readonly items: readonly T[];
  put(item: T): void;
  /** Lets everyone who waits, now or later, fail with this error. */
  close(error: Error): void;
  /** Resolves with the first item, past or future, that fits. */
  find<S extends T>(fits: (item: T) => item is S): Promise<S>;
  find(fits: (item: T) => boolean): Promise<T>;
  /** Like `find`, but gives each item only once. */
  take<S extends T>(fits: (item: T) => item is S): Promise<S>;
  take(fits: (item: T) => boolean): Promise<T>;
}

/** Creates an empty inbox. */
export function createInbox<T>(): Inbox<T> {
  const items: T[] = [];
  const taken = new Set<number>();
  const waiting = new Set<() => void>();
  let failure: Error | undefined;

  function wake(): void {
    for (const look of waiting) look();
  }
  function wait(find: () => number, found: (at: number) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const at = find();
        if (at < 0 && failure === undefined) return;
        waiting.delete(look);
        if (at < 0) return reject(failure);
        found(at);
        resolve(items[at]!);
      };
      waiting.add(look);
      look();
    });
  }
  return {
    items,
    put(item) {
      items.push(item);
      wake();
    },
    close(error) {
      failure = error;
      wake();
    },
    find: <S extends T>(fits: (item: T) => boolean) =>
      wait(
        () => items.findIndex((item) => fits(item)),
        () => undefined,
      ) as Promise<S>,
    take: <S extends T>(fits: (item: T) => boolean) =>
      wait(
        () => items.findIndex((item, at) => !taken.has(at) && fits(item)),
        (at) => void taken.add(at),
      ) as Promise<S>,
  };
}
