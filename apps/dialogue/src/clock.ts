/** Time, as a program reads and waits for it. Tests replace it. */
export interface Clock {
  /** ms since the epoch. */
  now(): number;
  /** Runs `run` once after `ms`. Gives a function that cancels it. */
  after(ms: number, run: () => Promise<void>): () => void;
}

/** The system's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(() => void run(), ms);
    return () => clearTimeout(timer);
  },
};
