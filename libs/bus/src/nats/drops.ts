import { findPublisher, type BadMessage, type DropReason } from "@voxbus/protocol";
import type { BusLog } from "../config.ts";
import { DroppedError } from "../errors.ts";

const windowMs = 60_000;
/** The maximum number of log lines in one window. */
const maxLines = 10;
const recentMs = 600_000;
const maxRecent = 16;
const maxSubject = 256;

/**
 * The rule that a dropped message breaks: the path of the invalid field, and its limit; never its value.
 */
export interface BrokenRule {
  readonly field?: string;
  readonly limit?: string;
}

/** A message or value that is dropped. `data` are its bytes, which may name its publisher. */
export interface Drop extends BrokenRule {
  readonly subject: string;
  readonly reason: DropReason;
  readonly data?: Uint8Array;
}

/**
 * Counts the messages that are dropped and those whose handler failed. Logs each subject and reason once a minute, 10 lines a
 * minute at most.
 */
export interface Drops {
  report(drop: Drop): void;
  /** Reports a message whose handler failed with `err`, or dropped it. */
  failed(subject: string, err: unknown): void;
  /** Runs a handler. An error that it throws, or rejects with, is reported as `failed` and goes no further. */
  guard(subject: string, handle: () => unknown): void;
  /** Drops by reason. */
  counts(): Readonly<Record<string, number>>;
  /** The newest kinds of drops of the last 10 minutes, 16 at most. */
  recent(): readonly BadMessage[];
  /** Calls `tell` with each drop that is logged. */
  onLogged(tell: (message: BadMessage) => void): void;
}

/** Creates the drops of one connection. */
export function createDrops(log: BusLog): Drops {
  const counts: Record<string, number> = {};
  /** Drops by subject, reason and field, the newest last. */
  const kinds = new Map<string, BadMessage>();
  const limitLines = createLineLimit();
  let tell: ((message: BadMessage) => void) | undefined;

  const count = (drop: Pick<BadMessage, "subject" | "reason" | "field" | "limit">): string => {
    counts[drop.reason] = (counts[drop.reason] ?? 0) + 1;
    const key = `${drop.subject} ${drop.reason} ${drop.field}`;
    const { count: before = 0, publisher } = kinds.get(key) ?? {};
    kinds.delete(key);
    kinds.set(key, { ...drop, count: before + 1, at: Date.now(), ...(publisher !== undefined && { publisher }) });
    const [oldest] = kinds.keys();
    if (oldest !== undefined && kinds.size > maxRecent) kinds.delete(oldest);
    return key;
  };
  const logged = (key: string, publisher?: string): void => {
    const message = { ...kinds.get(key)!, ...(publisher !== undefined && { publisher }) };
    kinds.set(key, message);
    tell?.(message);
  };

  const report: Drops["report"] = ({ subject, reason, field, limit, data }) => {
    const drop = {
      subject: cut(subject),
      reason,
      ...(field !== undefined && { field }),
      ...(limit !== undefined && { limit }),
    };
    const key = count(drop);
    limitLines(drop, (suppressed) => {
      const publisher = data && findPublisher(subject, data);
      const isMalformed = reason === "bad-envelope" || reason === "newer-version";
      log.warn(
        { ...drop, ...(publisher !== undefined && { publisher }), suppressed },
        isMalformed ? "malformed message skipped" : "message dropped",
      );
      logged(key, publisher);
    });
  };
  const failed = (long: string, err: unknown): void => {
    if (err instanceof DroppedError) return report({ subject: long, reason: err.reason });
    const drop = { subject: cut(long), reason: "handler-failed" };
    const key = count(drop);
    limitLines(drop, (suppressed) => {
      log.error({ err, ...drop, suppressed }, "message handler failed");
      logged(key);
    });
  };

  return {
    counts: () => ({ ...counts }),
    recent: () => [...kinds.values()].filter(({ at }) => Date.now() - at < recentMs),
    onLogged: (listener) => void (tell = listener),
    failed,
    report,
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
