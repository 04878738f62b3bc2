/** The results of calls that come after the end of their turns. They are added to the history. */
export interface LateResults {
  /** Follows a result until it is stored. Its failure is ignored: the bus has logged and counted it. */
  follow(stored: Promise<unknown>): void;
  /** The number of results that are awaited. */
  count(): number;
  /** Resolves once no result is awaited, or after `graceMs`. Another call with less time ends the first one, too. */
  settle(graceMs: number): Promise<void>;
}

/** Creates the late results of a process. */
export function createLateResults(): LateResults {
  const awaited = new Set<Promise<unknown>>();
  let endGrace = (): void => undefined;
  const graceOver = new Promise<void>((resolve) => (endGrace = resolve));
  return {
    follow(stored) {
      awaited.add(stored);
      const end = () => awaited.delete(stored);
      stored.then(end, end);
    },
    count: () => awaited.size,
    async settle(graceMs) {
      const grace = setTimeout(endGrace, graceMs);
      await Promise.race([graceOver, Promise.allSettled(awaited)]);
      clearTimeout(grace);
    },
  };
}
