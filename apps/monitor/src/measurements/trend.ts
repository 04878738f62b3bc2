const parts = 4;

/**
 * The rise that goes on: that of the lowest values from the first quarter of `values` to the last one, at the pace of the
 * quarter in which they rise least. A warm-up, one or two steps, or what a collector frees again is no such rise. 0 for too
 * few values.
 */
export function findLastingRise(values: readonly number[]): number {
  const length = Math.floor(values.length / parts);
  if (length < 1) return 0;
  const lowest = Array.from({ length: parts }, (_, part) =>
    Math.min(...values.slice(part * length, (part + 1) * length)),
  );
  const rises = lowest.slice(1).map((low, part) => low - lowest[part]!);
  return rises.length * Math.min(...rises);
}
