import { setTimeout as sleep } from "node:timers/promises";
import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";

const id = "=lease";
const lookMs = 1000;
const endMs = 1000;

/** Which of several monitors is the active one: whoever holds the lease in KV `monitor`. */
export interface MonitorLease {
  /** True while this one is, by its own clock, and no other can be. */
  active(): boolean;
  /** Gives the lease up, so that another monitor takes over at once. */
  release(): Promise<void>;
}

/**
 * Takes the lease when it is free, or was not renewed for `leaseMs` by this process's clock, and keeps it; `changed` is
 * called when this monitor becomes the active one, or no longer is. No clocks are compared: every write is a compare-and-set.
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
  let told = false;

  // A renewal counts from before it was sent: whoever takes over waits from when it saw it, which is later.
  const active = () => revision !== undefined && performance.now() - renewedAt < leaseMs;

  const take = async (expected: number) => {
    const began = performance.now();
    revision = await bucket.update(id, { instance, at: Date.now() }, expected);
    renewedAt = began;
  };

  const look = async () => {
    if (revision !== undefined) return take(revision);
    const found = await bucket.get(id);
    if (found === undefined) return take(0);
    const now = performance.now();
    if (found.revision !== seen.revision) seen = { revision: found.revision, at: now };
    else if (now - seen.at >= leaseMs) await take(found.revision);
  };

  const tell = () => {
    const now = active();
    if (now === told) return;
    told = now;
    log.info({ instance }, now ? "this monitor is the active one" : "this monitor stands by");
    changed(now);
  };

  const run = async () => {
    while (!ending.signal.aborted) {
      try {
        await look();
      } catch (error) {
        if (error instanceof ConflictError) revision = undefined;
        else log.warn({ err: error }, "the monitor's lease could not be looked at");
      }
      tell();
      const pause = revision === undefined ? Math.min(leaseMs / 3, lookMs) : leaseMs / 3;
      // Aborted, the loop's own condition ends it.
      await sleep(pause, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  };
  const running = run();

  return {
    active,
    async release() {
      ending.abort();
      // Without NATS a look takes longer than a program has to stop; the lease then runs out.
      await Promise.race([running, sleep(endMs)]);
      const held = revision;
      revision = undefined;
      tell();
      if (held === undefined || !bus.connected()) return;
      try {
        await bucket.remove(id, held);
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    },
  };
}
