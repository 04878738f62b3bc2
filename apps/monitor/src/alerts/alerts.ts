import { ConflictError, type Bus, type Closer } from "@voxbus/bus";
import { buckets, channels, type Alert, type AlertRecord } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import { ulid } from "ulid";
import { addStep, alertId, lastStep, raisedAt } from "./alert-record.ts";
import type { Move, Severity } from "./hysteresis.ts";
import type { Webhook } from "./webhook.ts";

const keepResolvedMs = 24 * 3_600_000;

/** An alert as it stands. */
export interface BookedAlert extends Alert {
  /** When it began; `at` is when it last changed. */
  readonly raisedAt: number;
}

/**
 * All alerts of the system, in KV `monitor`. A step is written by compare-and-set, then published and posted, and each is
 * noted: so another monitor tells what this one could not, and nothing that it did. The note leaves in one write with what
 * it is about; of a webhook that answered, a kill may lose the note, and it gets the same step again under the same key.
 */
export interface AlertBook extends Closer {
  /** Every alert that stands, and those resolved in the last day: open ones first, then the newest. */
  list(): readonly BookedAlert[];
  /** Writes and tells one move of an alert, if this monitor is the active one. Throws BusAwayError. */
  take(move: Move, about: { readonly name: string; readonly target: string; readonly message: string }): Promise<void>;
  /** Tells everything that has not been told, such as what the monitor before had no time for. */
  settle(): Promise<void>;
  /** Forgets what was resolved a day ago. */
  tidy(): Promise<void>;
}

interface Known {
  readonly record: AlertRecord;
  readonly revision: number;
}

/** Opens the book; resolves when it is read. */
export async function openAlertBook(parts: {
  readonly bus: Bus;
  readonly active: () => boolean;
  readonly webhook: Webhook | undefined;
  readonly log: Log;
  readonly raised: (severity: Severity, name: string) => void;
}): Promise<AlertBook> {
  const { bus, active, webhook, log } = parts;
  const bucket = bus.bucket(buckets.alerts);
  const known = new Map<string, Known>();
  let turn: Promise<unknown> = Promise.resolve();
  let posting: Promise<void> | undefined;

  const learn = (key: string, record: AlertRecord | undefined, revision: number) => {
    if (record !== undefined && revision > (known.get(key)?.revision ?? 0)) known.set(key, { record, revision });
  };
  const watch = await bucket.watch((key, entry) => {
    if (entry === undefined) known.delete(key);
    else learn(key, entry.value, entry.revision);
  });

  /** One after the other: a key's revision is known only when the write before is done. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };

  /** Writes what `key` is to hold; false when another monitor was faster, whose record is known then. */
  const write = async (key: string, record: AlertRecord): Promise<boolean> => {
    try {
      const revision = await bucket.update(key, record, known.get(key)?.revision ?? 0);
      known.set(key, { record, revision });
      return true;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      const found = await bucket.get(key);
      if (found === undefined) known.delete(key);
      else learn(key, found.value, found.revision);
      return false;
    }
  };

  const publish = async (key: string): Promise<void> => {
    const record = known.get(key)?.record;
    if (record === undefined || record.published === record.steps.length) return;
    if (!active() || !bus.connected()) return;
    for (const step of record.steps.slice(record.published)) {
      bus.publish(channels.alert(step.severity), step);
    }
    // Nothing may be awaited in between: what was published and the note of it leave in one write.
    await write(key, { ...record, published: record.steps.length });
  };

  const postNext = async (): Promise<boolean> => {
    const waiting = [...known].flatMap(([key, { record }]) => {
      const step = record.posted < record.steps.length ? record.steps[record.posted] : undefined;
      return step ? [{ key, step }] : [];
    });
    const next = waiting.sort((a, b) => a.step.at - b.step.at)[0];
    if (next === undefined || !active()) return false;
    if (!(await webhook!.post(next.step))) return false;
    return inTurn(async () => {
      const record = known.get(next.key)?.record;
      if (record?.steps[record.posted]?.id !== next.step.id) return true;
      return write(next.key, { ...record, posted: record.posted + 1 });
    });
  };

  const postAll = () => {
    if (webhook === undefined) return;
    posting ??= (async () => {
      try {
        while (await postNext());
      } catch (error) {
        log.warn({ err: error }, "alerts could not be noted as posted");
      }
    })().finally(() => (posting = undefined));
  };

  return {
    list: () =>
      [...known.values()]
        .map(({ record }) => ({ ...lastStep(record), raisedAt: raisedAt(record) }))
        .sort((a, b) => Number(a.resolved) - Number(b.resolved) || b.at - a.at),
    take: (move, { name, target, message }) =>
      inTurn(async () => {
        if (!active()) return;
        const key = alertId(name, target);
        const record = known.get(key)?.record;
        const open = record !== undefined && !lastStep(record).resolved ? lastStep(record) : undefined;
        // Already so, by the monitor before this one.
        if ((move.type === "raise") === (open !== undefined)) return;
        const step: Alert = {
          id: open?.id ?? ulid(),
          at: Date.now(),
          severity: move.type === "resolve" ? open!.severity : move.severity,
          name,
          target,
          message,
          resolved: move.type === "resolve",
        };
        if (!(await write(key, addStep(record, step, webhook !== undefined)))) return;
        log.warn({ alert: step.id, name, target, severity: step.severity, move: move.type }, "alert");
        if (move.type !== "resolve") parts.raised(step.severity, name);
        await publish(key);
        postAll();
      }),
    settle: () =>
      inTurn(async () => {
        for (const key of known.keys()) await publish(key);
        postAll();
      }),
    tidy: () =>
      inTurn(async () => {
        for (const [key, { record, revision }] of known) {
          const { resolved, at } = lastStep(record);
          const told = Math.min(record.published, record.posted) === record.steps.length;
          if (!resolved || !told || Date.now() - at < keepResolvedMs) continue;
          await bucket.remove(key, revision);
          known.delete(key);
        }
      }),
    close: () => watch.close(),
  };
}
