import { setTimeout as sleep } from "node:timers/promises";
import type { Bus, BusLog } from "@voxbus/bus";
import { ulid } from "ulid";
import { createCanary } from "./canary.ts";
import { enterPresence, leavePresence } from "./entering.ts";
import { createLease, IdTakenError, type Lease, type LeaseOptions } from "./lease.ts";
import { createOwnEntries, type Loss } from "./own-entries.ts";
import type { Registry } from "./presence.ts";

const renewMs = 3000;
/** The same while the gateway drains, when operators follow its numbers, ms. */
const drainRenewMs = 1000;
const usualPatienceMs = 1000;
/** The longest wait for the removal of the lease, which expires anyway, ms. */
const removalMs = 1000;

/** Options of a gateway's registry. */
export interface RegistryOptions extends Omit<LeaseOptions, "epoch"> {
  /** Default: a new one. */
  readonly epoch?: string;
  /** Called when a session's presence is lost for good, so its socket here is to be closed. */
  readonly taken?: (device: string, session: string, loss: Loss) => void;
  /** Called once when a newer process holds the id. The registry then writes nothing more but the removal of presence. */
  readonly superseded?: (error: IdTakenError) => void;
  readonly log?: BusLog;
}

/**
 * Keeps a gateway's lease and its devices' presence. Resolves when the lease is written. After a reconnect, or a wipe of
 * the bucket, missing presence is written again with its old terms. Throws IdTakenError.
 */
export async function createRegistry(bus: Bus, options: RegistryOptions): Promise<Registry> {
  const { id, epoch = ulid(bus.now()), taken, superseded, log } = options;
  const lease = createLease(bus, { ...options, epoch });
  const canary = createCanary(bus, { id, epoch });
  const own = createOwnEntries(bus, { taken, log });
  let isDraining = false;
  let hasReconnected = false;
  let closed = false;
  let isNoted = false;
  let isSuperseded = false;
  let resolveNoted = (): void => undefined;
  /** Resolves when it is stored that this process leaves. */
  const noted = new Promise<void>((resolve) => (resolveNoted = resolve));

  const renewOnce = async (): Promise<void> => {
    const reconnected = hasReconnected;
    const leaves = isDraining;
    hasReconnected = false;
    const kept = await canary.renew(leaves);
    isNoted = leaves;
    if (leaves) resolveNoted();
    // First, because the presence of many devices may take longer than the lease lives.
    await lease.renew(leaves);
    await own.restore(kept, reconnected || kept === 0);
  };

  const renewal = createRenewal(renewOnce, {
    ended: () => closed || isSuperseded,
    taken(error) {
      isSuperseded = true;
      resolveNoted();
      superseded?.(error);
    },
  });
  const renewQuietly = (): void => {
    if (closed || !bus.connected()) return;
    renewal.run().catch((err: unknown) => log?.error({ err, id }, "lease renewal failed"));
  };

  await lease.renew(isDraining);
  await canary.create();
  const timer = startRenewing(renewQuietly, () => isDraining);
  const watch = bus.onChange((connected) => {
    if (!connected) return;
    hasReconnected = true;
    renewQuietly();
  });

  return {
    enter: async (device, given, signal) => {
      const described = { device, given: { ...given, gateway: id, epoch } };
      const entered = await enterPresence(bus, described, signal, () => closed);
      own.add(device, entered);
      return { term: entered.presence.term, previous: entered.previous };
    },
    update: (device, session, change) =>
      void own.change(device, session, change).then((written) => written || renewQuietly()),
    leave: async (device, session) => {
      const entry = own.take(device, session);
      if (entry !== undefined) await leavePresence(bus, { device, own: entry }, () => closed);
    },
    draining: async () => {
      isDraining = true;
      if (bus.connected()) await renewal.run();
    },
    close: async (patienceMs = usualPatienceMs) => {
      if (closed) return;
      isDraining = true;
      if (!isNoted) renewQuietly();
      await Promise.race([noted, sleep(patienceMs, undefined, { ref: false })]);
      closed = true;
      clearInterval(timer);
      watch.close();
      if (!bus.connected()) return log?.warn({ id }, "NATS disconnected, lease left to expire");
      await removeLease(lease, renewal.running()).catch((err: unknown) =>
        log?.warn({ err, id }, "lease removal failed, left to expire"),
      );
    },
  };
}

/** Renews every 3 s, and every second while the gateway drains. */
function startRenewing(renew: () => void, isDraining: () => boolean): NodeJS.Timeout {
  let ticks = 0;
  return setInterval(() => {
    ticks += 1;
    if (isDraining() || ticks % (renewMs / drainRenewMs) === 0) renew();
  }, drainRenewMs);
}

/** Removes the lease after a renewal that runs. Gives up after 1 s. */
async function removeLease(lease: Lease, renewing: Promise<void> | undefined): Promise<void> {
  const remove = async () => {
    await renewing;
    await lease.remove();
  };
  await Promise.race([remove(), sleep(removalMs, undefined, { ref: false })]);
}

/** Runs `renewOnce` one at a time. A call during a run causes one more run after it. `taken`: another process has the id. */
function createRenewal(
  renewOnce: () => Promise<void>,
  { ended, taken }: { readonly ended: () => boolean; readonly taken: (error: IdTakenError) => void },
) {
  let again = false;
  let running: Promise<void> | undefined;
  const loop = async (): Promise<void> => {
    while (again && !ended()) {
      again = false;
      try {
        await renewOnce();
      } catch (error) {
        if (!(error instanceof IdTakenError)) throw error;
        taken(error);
      }
    }
  };
  return {
    running: () => running,
    run: (): Promise<void> => {
      again = true;
      return (running ??= loop().finally(() => (running = undefined)));
    },
  };
}
