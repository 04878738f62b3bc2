import type { Stats } from "@voxbus/protocol";

/** Number of points over which rates are taken. */
export const ratePoints = 10;

/** The newest reports of each process, from which the growth of its counters follows. */
export interface Counters {
  add(target: string, stats: Stats): void;
  /** Forgets every target that is not in `targets`. */
  retain(targets: ReadonlySet<string>): void;
  /** The growth of a counter over the last `points` points, in `ms`; undefined before there are two points. */
  growth(
    target: string,
    counter: (stats: Stats) => number,
    points?: number,
  ): { readonly by: number; readonly ms: number } | undefined;
  /** The mean of a current value over the last points that have it. */
  mean(target: string, read: (stats: Stats) => number | undefined): number | undefined;
  /** True once a target was counted for as long as rates are taken. */
  isFull(target: string): boolean;
}

/** Creates empty counters. */
export function createCounters(): Counters {
  const reports = new Map<string, readonly Stats[]>();
  return {
    add(target, stats) {
      // Another process under the same id counts from 0 again.
      const before = (reports.get(target) ?? []).filter(({ instance }) => instance === stats.instance);
      reports.set(target, [...before, stats].slice(-ratePoints - 1));
    },
    retain(targets) {
      for (const target of reports.keys()) if (!targets.has(target)) reports.delete(target);
    },
    growth(target, counter, points = ratePoints) {
      const kept = reports.get(target) ?? [];
      const [first, last] = [kept.at(-1 - points) ?? kept[0], kept.at(-1)];
      if (first === undefined || last === undefined || kept.length < 2) return undefined;
      return { by: Math.max(0, counter(last) - counter(first)), ms: Math.max(1, last.at - first.at) };
    },
    mean(target, read) {
      const values = (reports.get(target) ?? []).slice(-ratePoints).flatMap((stats) => read(stats) ?? []);
      return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
    },
    isFull: (target) => (reports.get(target)?.length ?? 0) > ratePoints,
  };
}
