import type { severities } from "@voxbus/protocol";

/** How bad it is. */
export type Severity = (typeof severities)[number];

/** When a number is bad, and when it is good again; what lies between changes nothing. */
export interface Limits {
  /** From which value on it is how bad, the worst first. */
  readonly levels: readonly (readonly [from: number, severity: Severity])[];
  /** Below this it is good again; at most the lowest level. */
  readonly clear: number;
  /** So many bad values in a row raise it. */
  readonly raiseAfter: number;
  /** So many good values in a row resolve it. */
  readonly clearAfter: number;
}

/** Where a number stands: how often in a row it was bad or good, and how bad what was raised is. */
export interface Track {
  readonly bad: number;
  readonly good: number;
  readonly raised?: Severity | undefined;
}

/** What is to be told: that it begins, that it is worse than was told, that it is over. */
export type Move = { readonly type: "raise" | "worsen"; readonly severity: Severity } | { readonly type: "resolve" };

/** A number that nothing was raised for. */
export const calm: Track = { bad: 0, good: 0 };

/** How bad a value is. */
export function judge({ levels }: Limits, value: number): Severity | undefined {
  return levels.find(([from]) => value >= from)?.[1];
}

/**
 * Takes the next value. What was raised is resolved once, and only ever gets worse until then; an unknown value changes
 * nothing.
 */
export function follow(
  limits: Limits,
  track: Track,
  value: number | undefined,
): { readonly track: Track; readonly move?: Move } {
  if (value === undefined) return { track };
  const { raised } = track;
  const severity = judge(limits, value);
  const worse = severity !== undefined && (raised === undefined || rank(severity) > rank(raised));
  const bad = worse ? track.bad + 1 : 0;
  const good = value < limits.clear ? track.good + 1 : 0;
  if (worse && bad >= limits.raiseAfter) {
    const type = raised === undefined ? "raise" : "worsen";
    return { track: { bad: 0, good: 0, raised: severity }, move: { type, severity } };
  }
  if (raised !== undefined && good >= limits.clearAfter) return { track: calm, move: { type: "resolve" } };
  return { track: { bad, good, raised } };
}

const ranks: Readonly<Record<Severity, number>> = { low: 0, medium: 1, high: 2 };
const rank = (severity: Severity) => ranks[severity];
