import { setTimeout as sleep } from "node:timers/promises";
import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";

const id = "=lease";
const retryMs = 1000;
const releaseMs = 1000;

/** The lease in KV `monitor`. Of several monitors its holder is the active one. */
export interface MonitorLease {
  /** True while this monitor is the active one by its own clock, and no other can be. */
  active(): boolean;
  /** Gives up the lease, so that another monitor takes over at once. */
  release(): Promise<void>;
}

/**
 * Takes the lease if it is free, or if it was not renewed for `leaseMs` by this process's clock, and keeps it. `changed`
 * is called when this monitor becomes the active one, and when it no longer is. Clocks are not compared: every write is a
 * compare-and-set.
 */
export function holdMonitorLease(parts: {
  readonly bus: Bus;
  readonly instance: string;
  readonly leaseMs: number;
  readonly changed: (active: boolean) => void;
  readonly log: Log;
}): MonitorLease {
  const { bus, instance, leaseMs, changed, log } = parts;
  const bucket = bus.bucket(buckets.monitorLease);
  const ending = new AbortController();
  let revision: number | undefined;
  let renewedAt = -Infinity;
  let seen = { revision: 0, at: 0 };
  let reported = false;

  // A renewal counts from before it was sent. A monitor that takes over counts from when it saw it, which is later.
  // While NATS does not store, no other can take over, and somebody must raise the alert.
  const active = () => revision !== undefined && (performance.now() - renewedAt < leaseMs || !bus.storing());

  const take = async (expected: number) => {
    const began = performance.now();
    revision = await bucket.update(id, { instance, at: Date.now() }, expected);
    renewedAt = began;
  };

  const renewOrTake = async () => {
    if (revision !== undefined) return take(revision);
    const found = await bucket.get(id);
    if (found === undefined) return take(0);
    const now = performance.now();
    if (found.revision !== seen.revision) seen = { revision: found.revision, at: now };
    else if (now - seen.at >= leaseMs) await take(found.revision);
  };

  const report = () => {
    const now = active();
    if (now === reported) return;
    reported = now;
    log.info({ instance }, now ? "monitor activated" : "monitor deactivated");
    changed(now);
  };

  const run = async () => {
    while (!ending.signal.aborted) {
      try {
        await renewOrTake();
      } catch (error) {
        if (error instanceof ConflictError) revision = undefined;
        else log.warn({ err: error }, "lease not renewed");
      }
      report();
      const pause = revision === undefined ? Math.min(leaseMs / 3, retryMs) : leaseMs / 3;
      // If it is aborted, the condition of the loop ends it.
      await sleep(pause, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  };
  const running = run();

  return {
    active,
    async release() {
      ending.abort();
      // Without NATS a renewal takes longer than the program has to stop. The lease then expires.
      await Promise.race([running, sleep(releaseMs)]);
      const held = revision;
      revision = undefined;
      report();
      if (held === undefined || !bus.connected()) return;
      try {
        // It expires anyway if NATS is about to stop too.
        await Promise.race([bucket.remove(id, held), sleep(releaseMs)]);
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    },
  };
}
