/** Number of points that a series keeps. */
export const keptPoints = 1000;
/** Number of the newest points that the average is taken over. */
export const averagedPoints = 60;

/** One number at one time, ms since the epoch. */
export type Sampled = readonly [at: number, value: number];

/** One measured value: a metric of a target, such as `memory` of one process. */
export interface Sample {
  readonly metric: string;
  readonly target: string;
  readonly value: number;
}

/** The history of one metric of one target, at most 1,000 points. */
export interface Series {
  readonly metric: string;
  readonly target: string;
  /** The newest points, at most `most`, oldest first. */
  newest(most: number): readonly Sampled[];
  /** The mean of the last 60 points. */
  average(): number;
}

/** The history of everything that is measured. */
export interface History {
  record(at: number, samples: readonly Sample[]): void;
  find(metric: string, target: string): Series | undefined;
  all(): IterableIterator<Series>;
}

interface Kept extends Series {
  add(point: Sampled): void;
  lastAt(): number;
}

/**
 * Creates an empty history, in memory. It forgets a series without a new point for `forgetMs`, such as that of a process
 * that ended, and beyond `maxSeries` the series without a new point for the longest time.
 */
export function createHistory(options: { readonly forgetMs: number; readonly maxSeries?: number }): History {
  const { forgetMs, maxSeries = 20_000 } = options;
  const known = new Map<string, Kept>();
  const keyOf = (metric: string, target: string) => `${metric} ${target}`;
  return {
    record(at, samples) {
      for (const { metric, target, value } of samples) {
        const key = keyOf(metric, target);
        const series = known.get(key) ?? createSeries(metric, target);
        series.add([at, value]);
        // The series with the newest point comes last.
        known.delete(key);
        known.set(key, series);
      }
      for (const [key, series] of known) {
        if (known.size <= maxSeries && at - series.lastAt() <= forgetMs) break;
        known.delete(key);
      }
    },
    find: (metric, target) => known.get(keyOf(metric, target)),
    all: () => known.values(),
  };
}

function createSeries(metric: string, target: string): Kept {
  const points: Sampled[] = [];
  return {
    metric,
    target,
    add(point) {
      points.push(point);
      if (points.length > keptPoints) points.shift();
    },
    lastAt: () => points.at(-1)?.[0] ?? 0,
    newest: (most) => (most > 0 ? points.slice(-most) : []),
    average() {
      const last = points.slice(-averagedPoints);
      return last.reduce((sum, [, value]) => sum + value, 0) / Math.max(1, last.length);
    },
  };
}
