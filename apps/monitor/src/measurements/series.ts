/** How many points a series keeps. */
export const keptPoints = 1000;
/** Over how many of the newest points it is averaged. */
export const averagedPoints = 60;

/** One number at one time, ms since the epoch. */
export type Sampled = readonly [at: number, value: number];

/** What was measured once: a metric of a subject, such as `memory` of one process. */
export interface Sample {
  readonly metric: string;
  readonly subject: string;
  readonly value: number;
}

/** The history of one metric of one subject, 1,000 points at most. */
export interface Series {
  readonly metric: string;
  readonly subject: string;
  /** The newest points, oldest first, `most` at most. */
  newest(most: number): readonly Sampled[];
  /** Mean of the last 60 points. */
  average(): number;
}

/** The history of everything that is measured. */
export interface History {
  record(at: number, samples: readonly Sample[]): void;
  find(metric: string, subject: string): Series | undefined;
  all(): IterableIterator<Series>;
}

interface Kept extends Series {
  add(point: Sampled): void;
  lastAt(): number;
}

/**
 * Creates an empty history, in memory. A series that nothing was added to for `forgetMs`, such as that of a process that
 * ended, is forgotten; of more than `maxSeries` the one that was silent longest.
 */
export function createHistory(options: { readonly forgetMs: number; readonly maxSeries?: number }): History {
  const { forgetMs, maxSeries = 20_000 } = options;
  const known = new Map<string, Kept>();
  const keyOf = (metric: string, subject: string) => `${metric} ${subject}`;
  return {
    record(at, samples) {
      for (const { metric, subject, value } of samples) {
        const key = keyOf(metric, subject);
        const series = known.get(key) ?? createSeries(metric, subject);
        series.add([at, value]);
        // The one that was added to last stands last.
        known.delete(key);
        known.set(key, series);
      }
      for (const [key, series] of known) {
        if (known.size <= maxSeries && at - series.lastAt() <= forgetMs) break;
        known.delete(key);
      }
    },
    find: (metric, subject) => known.get(keyOf(metric, subject)),
    all: () => known.values(),
  };
}

function createSeries(metric: string, subject: string): Kept {
  const points: Sampled[] = [];
  return {
    metric,
    subject,
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
