import type { Clock } from "./clock.ts";

/** A clock that stands still until a test moves it. */
export interface TestClock extends Clock {
  /** Moves the time and waits for everything that becomes due, in order of time. */
  advance(ms: number): Promise<void>;
}

/** Creates a clock that starts at the current time. */
export function createTestClock(): TestClock {
  let now = Date.now();
  const timers = new Set<{ readonly at: number; readonly run: () => Promise<void> }>();
  const findNext = (until: number) =>
    [...timers].filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)[0];
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const until = now + ms;
      for (let next = findNext(until); next !== undefined; next = findNext(until)) {
        timers.delete(next);
        now = next.at;
        await next.run();
      }
      now = until;
    },
  };
}
