import type { Percentiles } from "./turn-view.ts";

const percentileWindowMs = 5 * 60_000;
const maxSamples = 5000;

/** Counts the events of a time up to now. */
export interface RollingCount {
  add(now: number): void;
  read(now: number): number;
}

/** Creates a count of the last `windowMs`. It counts by the second, so its size does not depend on the number of events. */
export function createRollingCount(windowMs: number): RollingCount {
  const counts = new Map<number, number>();
  return {
    add(now) {
      const second = Math.floor(now / 1000);
      counts.set(second, (counts.get(second) ?? 0) + 1);
    },
    read(now) {
      let sum = 0;
      for (const [second, count] of counts) {
        if (second * 1000 <= now - windowMs) counts.delete(second);
        else sum += count;
      }
      return sum;
    },
  };
}

/** Percentiles of the durations of the last five minutes, over at most the newest 5,000 of them. */
export interface RollingPercentiles {
  add(now: number, ms: number): void;
  /** Undefined without a duration in the window. */
  read(now: number): Percentiles | undefined;
}

/** Creates percentiles of no durations yet. */
export function createRollingPercentiles(): RollingPercentiles {
  const samples: { readonly at: number; readonly ms: number }[] = [];
  return {
    add(now, ms) {
      samples.push({ at: now, ms });
      if (samples.length > maxSamples * 2) samples.splice(0, samples.length - maxSamples);
    },
    read(now) {
      const fresh = samples.findIndex(({ at }) => at > now - percentileWindowMs);
      samples.splice(0, fresh < 0 ? samples.length : fresh);
      const sorted = samples
        .slice(-maxSamples)
        .map(({ ms }) => ms)
        .sort((a, b) => a - b);
      if (sorted.length === 0) return undefined;
      const rank = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
      return { p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), count: sorted.length };
    },
  };
}
