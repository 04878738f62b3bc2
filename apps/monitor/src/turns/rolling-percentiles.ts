import type { Percentiles } from "../live/live.ts";

const latencyWindowMs = 5 * 60_000;
const maxSamples = 5000;
const rateWindowMs = 60_000;

/** How often something happened in the last minute. */
export interface Rate {
  add(now: number): void;
  perMinute(now: number): number;
}

/** Counts by the second, so that its size does not depend on how much happens. */
export function createRate(): Rate {
  const counts = new Map<number, number>();
  return {
    add(now) {
      const second = Math.floor(now / 1000);
      counts.set(second, (counts.get(second) ?? 0) + 1);
    },
    perMinute(now) {
      let sum = 0;
      for (const [second, count] of counts) {
        if (second * 1000 <= now - rateWindowMs) counts.delete(second);
        else sum += count;
      }
      return sum;
    },
  };
}

/** Durations of the last five minutes, ms; of very many the newest 5,000. */
export interface Durations {
  add(now: number, ms: number): void;
  /** Undefined when nothing happened. */
  percentiles(now: number): Percentiles | undefined;
}

/** Keeps durations. */
export function createDurations(): Durations {
  const samples: { readonly at: number; readonly ms: number }[] = [];
  return {
    add(now, ms) {
      samples.push({ at: now, ms });
      if (samples.length > maxSamples * 2) samples.splice(0, samples.length - maxSamples);
    },
    percentiles(now) {
      const fresh = samples.findIndex(({ at }) => at > now - latencyWindowMs);
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
