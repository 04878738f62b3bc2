/** Returns the median, NaN without numbers: of an even number of them, the mean of the two in the middle. */
export function takeMedian(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** Returns the quantile `q` of numbers in ascending order, NaN without numbers. */
export function takeQuantile(sorted: ArrayLike<number>, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * q) - 1))] ?? Number.NaN;
}

/** The distribution of latencies, ms. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

/** Describes latencies in ms, given in any order. */
export function describeSpread(latencies: readonly number[]): Spread {
  const sorted = Float64Array.from(latencies).sort();
  return { count: sorted.length, p50: takeQuantile(sorted, 0.5), p99: takeQuantile(sorted, 0.99) };
}

/** The distribution of latencies with its tail, ms. NaN without numbers. */
export interface Tail extends Spread {
  readonly p95: number;
}

/** Describes latencies in ms with their tail, given in any order. */
export function describeTail(latencies: readonly number[]): Tail {
  const sorted = Float64Array.from(latencies).sort();
  return { ...describeSpread(latencies), p95: takeQuantile(sorted, 0.95) };
}

/** Merges several distributions: the medians of each quantile, and the sum of the counts. */
export function mergeSpreads(spreads: readonly Spread[]): Spread {
  return {
    count: spreads.reduce((sum, { count }) => sum + count, 0),
    p50: takeMedian(spreads.map(({ p50 }) => p50)),
    p99: takeMedian(spreads.map(({ p99 }) => p99)),
  };
}

// The first calls are slow, and the time between the two readings would be an error of the clock.
const sinceBoot = Math.max(
  ...Array.from({ length: 200 }, () => Number(process.hrtime.bigint()) / 1e6 - performance.now()),
);

/** Returns monotonic time in ms, the same in every process of this machine. */
export function now(): number {
  return performance.now() + sinceBoot;
}
