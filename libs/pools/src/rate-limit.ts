const minuteMs = 60_000;

/** At most `perMinute` calls in any 60 s. Pools may share one, as all those with one key of a service do. */
export interface RateLimit {
  readonly perMinute: number;
  /** The time (ms) until a call is allowed that comes after `ahead` others. */
  waitMs(ahead?: number): number;
  /** Counts a call that begins now. */
  take(): void;
}

/** Creates a rate limit without calls. It remembers the times of the newest `perMinute` calls. */
export function createRateLimit(perMinute: number): RateLimit {
  const calls = new Float64Array(perMinute).fill(-Infinity);
  /** The oldest call, which the next one replaces. */
  let oldest = 0;
  return {
    perMinute,
    waitMs(ahead = 0) {
      const now = performance.now();
      const expires = calls[(oldest + ahead) % perMinute]! + minuteMs;
      return Math.max(expires, now) - now + Math.floor(ahead / perMinute) * minuteMs;
    },
    take() {
      calls[oldest] = performance.now();
      oldest = (oldest + 1) % perMinute;
    },
  };
}
