import type { Bus, Closer } from "@voxbus/bus";
import { channels, type Alert } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import PQueue from "p-queue";
import { ulid } from "ulid";
import { alertEvent } from "../events/api-event.ts";
import type { RunbookLink } from "../events/runbook.ts";
import { addStep, alertId, isDelivered, lastStep, raisedAt } from "./alert-record.ts";
import { openAlertStore, type AlertStore } from "./alert-store.ts";
import type { Severity, Transition } from "./hysteresis.ts";
import type { Webhooks } from "../webhooks/webhooks.ts";

const keepResolvedMs = 24 * 3_600_000;

/** An alert as it stands. */
export interface StandingAlert extends Alert {
  /** The time at which it began; `at` is the time of its last change. */
  readonly raisedAt: number;
  /** The link to its section of the runbook. */
  readonly runbook: string;
}

/**
 * All alerts of the system. A step is written to KV `monitor` by compare-and-set, then published and posted, and each
 * delivery is recorded there. So another monitor delivers the steps that this one could not, and no others. A published
 * step and its record leave in one write. If the monitor is killed after a webhook's answer, the record may be lost; the
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
  readonly webhooks: Pick<Webhooks, "wants" | "deliver">;
  readonly log: Log;
  readonly runbook: RunbookLink;
  readonly raised: (severity: Severity, name: string) => void;
}

/** Opens the alerts; resolves once those that stand are read. */
export async function openAlerts(parts: AlertsParts): Promise<Alerts> {
  const { active, webhooks, log, runbook } = parts;
  const store = await openAlertStore(parts.bus);
  // A record's revision is known only once the write before is done, so writes follow each other.
  const writes = new PQueue({ concurrency: 1 });
  const publish = createPublisher(parts, store);
  const post = createPoster(parts, store, writes);

  return {
    list: () =>
      store
        .entries()
        .map(([, record]) => {
          const step = lastStep(record);
          return { ...step, raisedAt: raisedAt(record), runbook: runbook(step.name) };
        })
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
        if (!(await store.write(id, addStep(record, step, webhooks.wants("alert"))))) return;
        // `name` is that of the program in every line.
        const fields = {
          alert: name,
          target,
          id: step.id,
          severity: step.severity,
          transition: transition.type,
          runbook: runbook(name),
        };
        log.warn(fields, "alert changed");
        if (transition.type !== "resolve") parts.raised(step.severity, name);
        await publish(id);
        post();
      }),
    deliver: () =>
      writes.add(async () => {
        await store.save();
        for (const [id] of store.entries()) await publish(id);
        post();
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

/** Posts all steps that were not posted yet, oldest first. A webhook that is slow does not delay another one. */
function createPoster({ active, webhooks, runbook }: AlertsParts, store: AlertStore, writes: PQueue): () => void {
  /** The steps that are on their way, or have ended and are not recorded yet, by their events' keys. */
  const underway = new Map<string, { hasEnded: boolean }>();

  /** Records the steps of an alert that have ended, in order. Throws BusAwayError. */
  const record = (id: string) =>
    writes.add(async () => {
      const record = store.get(id);
      const steps = record?.steps.slice(record.posted) ?? [];
      const open = steps.findIndex((step) => underway.get(alertEvent(step).key)?.hasEnded !== true);
      const ended = open < 0 ? steps : steps.slice(0, open);
      if (record === undefined || ended.length === 0) return;
      await store.write(id, { ...record, posted: record.posted + ended.length });
    });

  return () => {
    if (!active()) return;
    const waiting = store
      .entries()
      .flatMap(([id, { steps, posted }]) =>
        steps.slice(posted).map((step) => ({ id, event: alertEvent(step, runbook) })),
      )
      .toSorted((one, other) => one.event.at - other.event.at);
    const keys = new Set(waiting.map(({ event }) => event.key));
    for (const key of underway.keys()) if (!keys.has(key)) underway.delete(key);
    for (const { id, event } of waiting) {
      const found = underway.get(event.key);
      // NATS was away when it ended.
      if (found?.hasEnded) void record(id).catch(() => undefined);
      if (found) continue;
      const one = { hasEnded: false };
      underway.set(event.key, one);
      webhooks.deliver(event, () => {
        one.hasEnded = true;
        return record(id);
      });
    }
  };
}
