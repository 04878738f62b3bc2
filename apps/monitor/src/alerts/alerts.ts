import type { Bus, Closer } from "@voxbus/bus";
import { channels, type Alert } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import PQueue from "p-queue";
import { ulid } from "ulid";
import { addStep, alertId, isDelivered, lastStep, raisedAt } from "./alert-record.ts";
import { openAlertStore, type AlertStore } from "./alert-store.ts";
import type { Severity, Transition } from "./hysteresis.ts";
import type { Webhook } from "./webhook.ts";

const keepResolvedMs = 24 * 3_600_000;

/** An alert as it stands. */
export interface StandingAlert extends Alert {
  /** The time at which it began; `at` is the time of its last change. */
  readonly raisedAt: number;
}

/**
 * All alerts of the system. A step is written to KV `monitor` by compare-and-set, then published and posted, and each
 * delivery is recorded there. So another monitor delivers the steps that this one could not, and no others. A published
 * step and its record leave in one write. If the monitor is killed after the webhook's answer, the record may be lost; the
 * webhook then gets the step again under the same idempotency key.
 */
export interface Alerts extends Closer {
  /** Every alert that stands or was resolved in the last day: standing ones first, then the newest. */
  list(): readonly StandingAlert[];
  /** Writes and delivers one transition of an alert, if this monitor is the active one. Throws BusAwayError. */
  apply(
    transition: Transition,
    about: { readonly name: string; readonly target: string; readonly message: string },
  ): Promise<void>;
  /** Delivers every step that was not delivered yet, such as those of the monitor before. Throws BusAwayError. */
  deliver(): Promise<void>;
  /** Forgets alerts that were resolved a day ago. Throws BusAwayError. */
  prune(): Promise<void>;
}

interface AlertsParts {
  readonly bus: Bus;
  readonly active: () => boolean;
  readonly webhook: Webhook | undefined;
  readonly log: Log;
  readonly raised: (severity: Severity, name: string) => void;
}

/** Opens the alerts; resolves once those that stand are read. */
export async function openAlerts(parts: AlertsParts): Promise<Alerts> {
  const { active, webhook, log } = parts;
  const store = await openAlertStore(parts.bus);
  // A record's revision is known only once the write before is done, so writes follow each other.
  const writes = new PQueue({ concurrency: 1 });
  const publish = createPublisher(parts, store);
  const post = webhook && createPoster({ ...parts, webhook }, store, writes);

  return {
    list: () =>
      store
        .entries()
        .map(([, record]) => ({ ...lastStep(record), raisedAt: raisedAt(record) }))
        .sort((a, b) => Number(a.resolved) - Number(b.resolved) || b.at - a.at),
    apply: (transition, { name, target, message }) =>
      writes.add(async () => {
        if (!active()) return;
        const id = alertId(name, target);
        const record = store.get(id);
        const standing = record !== undefined && !lastStep(record).resolved ? lastStep(record) : undefined;
        // The monitor before this one has done so already.
        if ((transition.type === "raise") === (standing !== undefined)) return;
        const step: Alert = {
          id: standing?.id ?? ulid(),
          at: Date.now(),
          severity: transition.type === "resolve" ? standing!.severity : transition.severity,
          name,
          target,
          message,
          resolved: transition.type === "resolve",
        };
        if (!(await store.write(id, addStep(record, step, webhook !== undefined)))) return;
        const fields = { alert: step.id, name, target, severity: step.severity, transition: transition.type };
        log.warn(fields, "alert changed");
        if (transition.type !== "resolve") parts.raised(step.severity, name);
        await publish(id);
        post?.();
      }),
    deliver: () =>
      writes.add(async () => {
        await store.save();
        for (const [id] of store.entries()) await publish(id);
        post?.();
      }),
    prune: () =>
      writes.add(async () => {
        for (const [id, record] of store.entries()) {
          const { resolved, at } = lastStep(record);
          if (resolved && isDelivered(record) && Date.now() - at >= keepResolvedMs) await store.remove(id);
        }
      }),
    close: () => store.close(),
  };
}

/** Publishes the steps of one alert that were not published yet. */
function createPublisher({ bus, active }: AlertsParts, store: AlertStore): (id: string) => Promise<void> {
  return async (id) => {
    const record = store.get(id);
    if (record === undefined || record.published === record.steps.length) return;
    if (!active() || !bus.connected()) return;
    for (const step of record.steps.slice(record.published)) {
      bus.publish(channels.alert(step.severity), step);
    }
    // Without an await in between, the steps and the record of their publication leave in one write.
    await store.write(id, { ...record, published: record.steps.length });
  };
}

/** Posts all steps that were not posted yet, oldest first, one at a time. */
function createPoster(
  { active, webhook, log }: AlertsParts & { readonly webhook: Webhook },
  store: AlertStore,
  writes: PQueue,
): () => void {
  let posting = false;

  /** Posts the oldest step that waits; false without one, or if it could not be posted. */
  const postNext = async (): Promise<boolean> => {
    const waiting = store.entries().flatMap(([id, { steps, posted }]) => {
      const step = steps[posted];
      return step ? [{ id, step }] : [];
    });
    const next = waiting.sort((a, b) => a.step.at - b.step.at)[0];
    if (next === undefined || !active()) return false;
    if (!(await webhook.post(next.step))) return false;
    return writes.add(async () => {
      const record = store.get(next.id);
      if (record?.steps[record.posted]?.id !== next.step.id) return true;
      return store.write(next.id, { ...record, posted: record.posted + 1 });
    });
  };

  const postAll = async () => {
    try {
      while (await postNext());
    } catch (error) {
      log.warn({ err: error }, "posted alert not recorded");
    } finally {
      posting = false;
    }
  };

  return () => {
    if (posting) return;
    posting = true;
    void postAll();
  };
}
