import type { Meter } from "@opentelemetry/api";
import type { Log } from "./log.ts";
import { startAtZero } from "./start-at-zero.ts";

const windowMs = 60_000;
/** A process with more errors in one window is broken. */
const maxErrors = 1000;
const logEveryMs = 1000;

/** Counts and logs an error that nothing has caught. Returns false once there were more than 1000 in a minute. */
export type BearError = (error: unknown) => boolean;

/** Creates the count of one process's unexpected errors. It logs one a second at most. */
export function createUnexpectedErrors(meter: Meter, log: Log): BearError {
  const description = "Errors that nothing caught";
  const errors = startAtZero(meter.createCounter("voxbus_process_unexpected_errors", { description }));
  let since = -Infinity;
  let count = 0;
  let loggedAt = -Infinity;
  let suppressed = 0;
  return (err) => {
    errors.add(1);
    const now = performance.now();
    if (now - since >= windowMs) {
      since = now;
      count = 0;
    }
    count += 1;
    if (now - loggedAt < logEveryMs) suppressed += 1;
    else {
      log.error({ err, suppressed }, "unexpected error");
      loggedAt = now;
      suppressed = 0;
    }
    return count <= maxErrors;
  };
}
