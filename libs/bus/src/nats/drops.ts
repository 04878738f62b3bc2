import type { BusLog } from "../config.ts";

const windowMs = 60_000;
/** The maximum number of warnings in one window. */
const maxWarnings = 10;

/** A message or value that does not decode. `field` is the path of the invalid field, never its value. */
export interface Drop {
  readonly subject: string;
  readonly reason: string;
  readonly field: string;
}

/** Counts what does not decode, and warns about it: once a minute for each subject, 10 times a minute at most. */
export interface Drops {
  report(drop: Drop): void;
  /** Drops by reason. */
  counts(): Readonly<Record<string, number>>;
}

/** Creates the drops of one connection. */
export function createDrops(log: BusLog): Drops {
  const counts: Record<string, number> = {};
  const warned = new Set<string>();
  let since = -Infinity;
  let suppressed = 0;
  return {
    counts: () => ({ ...counts }),
    report: (drop) => {
      const { subject, reason } = drop;
      counts[reason] = (counts[reason] ?? 0) + 1;
      const now = performance.now();
      if (now - since >= windowMs) {
        since = now;
        warned.clear();
      }
      if (warned.has(subject) || warned.size >= maxWarnings) {
        suppressed += 1;
        return;
      }
      warned.add(subject);
      log.warn({ ...drop, suppressed }, "malformed message skipped");
      suppressed = 0;
    },
  };
}
