/** A value at a time, ms. */
export interface Point {
  readonly at: number;
  readonly value: number;
}

/** Fits the growth per hour by least squares. `error` is the standard error; both are NaN with fewer than three points. */
export function fitSlope(points: readonly Point[]): { readonly perHour: number; readonly error: number } {
  const n = points.length;
  if (n < 3) return { perHour: Number.NaN, error: Number.NaN };
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / n;
  const times = points.map(({ at }) => at / 3_600_000);
  const values = points.map(({ value }) => value);
  const [time, value] = [mean(times), mean(values)];
  const spread = times.reduce((sum, one) => sum + (one - time) ** 2, 0);
  const perHour = times.reduce((sum, one, i) => sum + (one - time) * ((values[i] ?? 0) - value), 0) / spread;
  const rest = times.reduce((sum, one, i) => sum + ((values[i] ?? 0) - value - perHour * (one - time)) ** 2, 0);
  return { perHour, error: Math.sqrt(rest / (n - 2) / spread) };
}
