import type { BadMessage } from "@voxbus/protocol";
import type { BusLog } from "../config.ts";

const windowMs = 60_000;
/** The maximum number of log lines in one window. */
const maxLines = 10;
const recentMs = 600_000;
const maxRecent = 16;
const maxSubject = 256;

/** A message or value that does not decode. `field` is the path of the invalid field, never its value. */
export interface Drop {
  readonly subject: string;
  readonly reason: "bad-envelope" | "newer-version";
  readonly field: string;
}

/**
 * Counts the messages that do not decode and those whose handler failed. Logs each subject and reason once a minute, 10
 * lines a minute at most.
 */
export interface Drops {
  report(drop: Drop): void;
  /** Reports a message whose handler failed with `err`. */
  failed(subject: string, err: unknown): void;
  /** Runs a handler. An error that it throws, or rejects with, is reported as `failed` and goes no further. */
  guard(subject: string, handle: () => unknown): void;
  /** Drops by reason. */
  counts(): Readonly<Record<string, number>>;
  /** The newest kinds of drops of the last 10 minutes, 16 at most. */
  recent(): readonly BadMessage[];
}

/** Creates the drops of one connection. */
export function createDrops(log: BusLog): Drops {
  const counts: Record<string, number> = {};
  /** Drops by subject, reason and field, the newest last. */
  const kinds = new Map<string, BadMessage>();
  const limit = createLineLimit();

  const count = (drop: Pick<BadMessage, "subject" | "reason" | "field">): void => {
    counts[drop.reason] = (counts[drop.reason] ?? 0) + 1;
    const key = `${drop.subject} ${drop.reason} ${drop.field}`;
    const before = kinds.get(key)?.count ?? 0;
    kinds.delete(key);
    kinds.set(key, { ...drop, count: before + 1, at: Date.now() });
    const [oldest] = kinds.keys();
    if (oldest !== undefined && kinds.size > maxRecent) kinds.delete(oldest);
  };

  const failed = (long: string, err: unknown): void => {
    const drop = { subject: cut(long), reason: "handler-failed" };
    count(drop);
    limit(drop, (suppressed) => log.error({ err, ...drop, suppressed }, "message handler failed"));
  };

  return {
    counts: () => ({ ...counts }),
    recent: () => [...kinds.values()].filter(({ at }) => Date.now() - at < recentMs),
    failed,
    report: ({ subject, reason, field }) => {
      const drop = { subject: cut(subject), reason, field };
      count(drop);
      limit(drop, (suppressed) => log.warn({ ...drop, suppressed }, "malformed message skipped"));
    },
    guard: (subject, handle) => {
      try {
        const result = handle();
        if (result instanceof Promise) void result.then(undefined, (err: unknown) => failed(subject, err));
      } catch (err) {
        failed(subject, err);
      }
    },
  };
}

/** Limits log lines, as `Drops` does. `write` gets the number of lines that were left out before. */
export function createLineLimit() {
  const written = new Set<string>();
  let since = -Infinity;
  let suppressed = 0;
  return ({ subject, reason }: Pick<BadMessage, "subject" | "reason">, write: (suppressed: number) => void): void => {
    const now = performance.now();
    if (now - since >= windowMs) {
      since = now;
      written.clear();
    }
    const key = `${subject} ${reason}`;
    if (written.has(key) || written.size >= maxLines) {
      suppressed += 1;
      return;
    }
    written.add(key);
    write(suppressed);
    suppressed = 0;
  };
}

// The sender has chosen the subject.
function cut(subject: string): string {
  return subject.length > maxSubject ? subject.slice(0, maxSubject).toWellFormed() : subject;
}
