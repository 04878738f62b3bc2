import { findPublisher, type BadMessage, type DropReason } from "@voxbus/protocol";
import type { BusLog } from "../config.ts";
import { DroppedError } from "../errors.ts";

const windowMs = 60_000;
/** The maximum number of log lines in one window, and of those for one reason and kind of subject. */
const maxLines = 10;
const maxSameLines = 3;
const recentMs = 600_000;
const maxRecent = 16;
const maxSubject = 256;
/** The most characters of the rule that a message breaks. */
export const maxLimit = 1024;

/**
 * The rule that a dropped message breaks: the path of the invalid field, and its limit; never its value.
 */
export interface BrokenRule {
  readonly field?: string | undefined;
  readonly limit?: string | undefined;
}

/** Details of a drop. The message, or its bytes, may name its publisher. */
export interface DropDetails extends BrokenRule {
  readonly message?: object | undefined;
}

/** A message or value that is dropped. */
export interface Drop extends DropDetails {
  readonly subject: string;
  readonly reason: DropReason;
}

/**
 * Counts the messages that are dropped and those whose handler failed. Logs each subject and reason once a minute, 10 lines a
 * minute at most, and 3 for one reason and kind of subject.
 */
export interface Drops {
  report(drop: Drop): void;
  /** Reports a message whose handler failed with `err`, or dropped it. `data` are its bytes. */
  failed(subject: string, err: unknown, data?: Uint8Array): void;
  /** Runs a handler. An error that it throws, or rejects with, is reported as `failed` and goes no further. */
  guard(subject: string, handle: () => unknown, data?: Uint8Array): void;
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
  /** Drops by subject, reason and field. */
  const kinds = new Map<string, DropKind>();
  const limitLines = createLineLimit(maxSameLines);
  let tell: ((message: BadMessage) => void) | undefined;

  const count = (drop: Pick<BadMessage, "subject" | "reason" | "field" | "limit">): DropKind => {
    const { subject, reason, field, limit } = drop;
    counts[reason] = (counts[reason] ?? 0) + 1;
    const key = `${subject} ${reason} ${field}`;
    let kind = kinds.get(key);
    if (kind === undefined) {
      kind = { alike: `${nameKind(subject)} ${reason}`, message: { ...drop, count: 0, at: 0 } };
      kinds.set(key, kind);
    }
    const { message } = kind;
    message.count += 1;
    message.at = Date.now();
    if (limit !== undefined) message.limit = limit;
    if (kinds.size > maxRecent) kinds.delete(findOldest(kinds));
    return kind;
  };
  const logged = ({ message }: DropKind, publisher?: string): void => {
    if (publisher !== undefined) message.publisher = publisher;
    tell?.({ ...message });
  };

  const report: Drops["report"] = ({ subject, reason, field, limit, message }) => {
    const drop = {
      subject: cut(subject),
      reason,
      ...(field !== undefined && { field }),
      ...(limit !== undefined && { limit }),
    };
    const kind = count(drop);
    limitLines(drop, (suppressed) => {
      const publisher = message && findPublisher(subject, message);
      const isMalformed = reason === "bad-envelope" || reason === "newer-version";
      log.warn(
        { ...drop, ...(publisher !== undefined && { publisher }), suppressed },
        isMalformed ? "malformed message skipped" : "message dropped",
      );
      logged(kind, publisher);
    });
  };
  const failed: Drops["failed"] = (long, err, data) => {
    if (err instanceof DroppedError)
      return report({ subject: long, reason: err.reason, limit: err.limit, message: data });
    const drop = { subject: cut(long), reason: "handler-failed" };
    const kind = count(drop);
    limitLines(drop, (suppressed) => {
      const publisher = data && findPublisher(long, data);
      log.error({ err, ...drop, ...(publisher !== undefined && { publisher }), suppressed }, "message handler failed");
      logged(kind, publisher);
    });
  };

  return {
    counts: () => ({ ...counts }),
    recent: () =>
      Array.from(kinds.values(), ({ message }) => ({ ...message }))
        .filter(({ at }) => Date.now() - at < recentMs)
        .toSorted((one, other) => one.at - other.at),
    onLogged: (listener) => void (tell = listener),
    failed,
    report,
    guard: (subject, handle, data) => {
      try {
        const result = handle();
        if (result instanceof Promise) void result.then(undefined, (err: unknown) => failed(subject, err, data));
      } catch (err) {
        failed(subject, err, data);
      }
    },
  };
}

/**
 * Limits log lines, as `Drops` does: each subject and reason once a minute, 10 lines a minute at most, and of these at most `same` for
 * one reason and kind of subject. `write` gets the number of lines that were left out before.
 */
export function createLineLimit(same = maxLines) {
  const written = new Set<string>();
  /** The lines by reason and kind of subject. */
  const kinds = new Map<string, number>();
  let since = -Infinity;
  let suppressed = 0;
  return ({ subject, reason }: Pick<BadMessage, "subject" | "reason">, write: (suppressed: number) => void): void => {
    const now = performance.now();
    if (now - since >= windowMs) {
      since = now;
      written.clear();
      kinds.clear();
    }
    const key = `${subject} ${reason}`;
    if (written.has(key) || written.size >= maxLines) return void (suppressed += 1);
    const kind = `${nameKind(subject)} ${reason}`;
    const lines = kinds.get(kind) ?? 0;
    if (lines >= same) return void (suppressed += 1);
    written.add(key);
    kinds.set(kind, lines + 1);
    write(suppressed);
    suppressed = 0;
  };
}

/** The drops of one subject, reason and field. */
interface DropKind {
  /** The reason and the subject without its id. */
  readonly alike: string;
  readonly message: Writable<BadMessage>;
}
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Gives the key of the oldest drop of those that are most alike, so that a flood on many subjects hides no other kind. */
function findOldest(kinds: ReadonlyMap<string, DropKind>): string {
  const groups = new Map<string, number>();
  for (const { alike } of kinds.values()) groups.set(alike, (groups.get(alike) ?? 0) + 1);
  const most = Math.max(...groups.values());
  let oldest = "";
  let since = Infinity;
  for (const [key, { alike, message }] of kinds) {
    if (groups.get(alike) !== most || message.at >= since) continue;
    oldest = key;
    since = message.at;
  }
  return oldest;
}

/** Gives a subject without its id, which the sender chooses: a flood on many subjects hides no other kind. */
function nameKind(subject: string): string {
  const tokens = subject.split(".");
  const at = Math.max(0, tokens.indexOf("device"));
  // The keys of a bucket are all of one kind.
  return tokens[0] === "$KV" ? tokens.slice(0, 2).join(".") : tokens.toSpliced(at + 1, 1, "*").join(".");
}

// The sender has chosen the subject.
function cut(subject: string): string {
  return subject.length > maxSubject ? subject.slice(0, maxSubject).toWellFormed() : subject;
}
