/** Time, as a program reads and waits for it. Tests replace it. */
export interface Clock {
  /** ms since the epoch. */
  now(): number;
  /** Runs `run` once after `ms`. Gives a function that cancels it. */
  after(ms: number, run: () => Promise<void>): () => void;
}

/** The longest time that a timer of Node takes, ms: 24 days. */
const longestMs = 2 ** 31 - 1;

/** Creates a clock that shows the time of `now`, such as that of NATS. */
export function createClock(now: () => number): Clock {
  return {
    now,
    after(ms, run) {
      let timer: NodeJS.Timeout;
      const wait = (left: number) => {
        const part = Math.min(left, longestMs);
        timer = setTimeout(() => (left > part ? wait(left - part) : void run()), part);
      };
      wait(ms);
      return () => clearTimeout(timer);
    },
  };
}
