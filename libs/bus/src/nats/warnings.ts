import type { BusLog } from "../config.ts";

const windowMs = 60_000;
/** The maximum number of warnings in one window. */
const maxWarnings = 10;

/** Logs a warning about `key`: once a minute for each key, 10 times a minute at most. */
export type Warn = (key: string, fields: object, message: string) => void;

/** Creates a limited warning. `suppressed` in a warning is the number of those that were not logged since the last one. */
export function createWarn(log: BusLog): Warn {
  const warned = new Set<string>();
  let since = -Infinity;
  let suppressed = 0;
  return (key, fields, message) => {
    const now = performance.now();
    if (now - since >= windowMs) {
      since = now;
      warned.clear();
    }
    if (warned.has(key) || warned.size >= maxWarnings) {
      suppressed += 1;
      return;
    }
    warned.add(key);
    log.warn({ ...fields, suppressed }, message);
    suppressed = 0;
  };
}
