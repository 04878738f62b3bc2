import type { Attributes, Counter, Histogram } from "@opentelemetry/api";

/**
 * Shows a counter or a histogram at 0 from the start, so that `increase()` sees its first step. It gets one series for each
 * combination of the values of its labels; a value that comes later makes another one. Returns the instrument.
 */
export function startAtZero<I extends Counter | Histogram>(
  instrument: I,
  labels: Readonly<Record<string, readonly string[]>> = {},
): I {
  let series: readonly Attributes[] = [{}];
  for (const [label, values] of Object.entries(labels)) {
    series = series.flatMap((one) => values.map((value) => ({ ...one, [label]: value })));
  }
  for (const one of series) {
    if ("add" in instrument) instrument.add(0, one);
    // OpenTelemetry makes the series for any value, and does not count one that is not a number.
    else instrument.record(NaN, one);
  }
  return instrument;
}
