import type { severities } from "@voxbus/protocol";

/** The severity of an alert. */
export type Severity = (typeof severities)[number];

/** The values at which a number is bad, and at which it is good again. A value in between changes nothing. */
export interface Limits {
  /** Each value from which on a severity applies, the highest severity first. */
  readonly levels: readonly (readonly [from: number, severity: Severity])[];
  /** Below this value it is good again; at most the lowest level. */
  readonly clear: number;
  /** The number of bad values in a row that raises it. */
  readonly raiseAfter: number;
  /** The number of good values in a row that resolves it. */
  readonly clearAfter: number;
}

/** The state of a number: how often in a row it was bad or good, and the severity of the alert that stands. */
export interface Track {
  readonly bad: number;
  readonly good: number;
  readonly raised?: Severity | undefined;
}

/** A change of an alert: it begins, gets worse, or is over. */
export type Transition =
  { readonly type: "raise" | "worsen"; readonly severity: Severity } | { readonly type: "resolve" };

/** The state of a number without an alert. */
export const calm: Track = { bad: 0, good: 0 };

/** The severity of a value. */
export function severityOf({ levels }: Limits, value: number): Severity | undefined {
  return levels.find(([from]) => value >= from)?.[1];
}

/**
 * Takes the next value. An alert is resolved once, and until then it can only get worse. An unknown value changes nothing.
 */
export function follow(
  limits: Limits,
  track: Track,
  value: number | undefined,
): { readonly track: Track; readonly transition?: Transition } {
  if (value === undefined) return { track };
  const { raised } = track;
  const severity = severityOf(limits, value);
  const worse = severity !== undefined && (raised === undefined || rank(severity) > rank(raised));
  const bad = worse ? track.bad + 1 : 0;
  const good = value < limits.clear ? track.good + 1 : 0;
  if (worse && bad >= limits.raiseAfter) {
    const type = raised === undefined ? "raise" : "worsen";
    return { track: { bad: 0, good: 0, raised: severity }, transition: { type, severity } };
  }
  if (raised !== undefined && good >= limits.clearAfter) return { track: calm, transition: { type: "resolve" } };
  return { track: { bad, good, raised } };
}

const ranks: Readonly<Record<Severity, number>> = { low: 0, medium: 1, high: 2 };
const rank = (severity: Severity) => ranks[severity];
