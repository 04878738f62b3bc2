import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import { bucketLifetimes, buckets, type GatewayLease, type Presence } from "@voxbus/protocol";
import type { PresenceView } from "./presence.ts";

/** Watches who is online. Resolves when the first snapshot is complete. Leases also expire by this process's clock. */
export async function watchPresence(bus: Bus): Promise<PresenceView> {
  const leases = new Map<string, { readonly lease: GatewayLease; readonly at: number }>();
  const entries = new Map<string, Presence>();

  const isAlive = (at: number): boolean => performance.now() - at < bucketLifetimes.gateways;
  const isOnline = ({ gateway, epoch }: Presence): boolean => {
    const found = leases.get(gateway);
    return found !== undefined && found.lease.epoch === epoch && isAlive(found.at);
  };

  const leaseWatch = await bus.bucket(buckets.gateways).watch((id, entry) => {
    if (entry?.value === undefined) leases.delete(id);
    else leases.set(id, { lease: entry.value, at: performance.now() });
  });
  const presenceWatch = await bus.bucket(buckets.presence).watch((device, entry) => {
    if (entry?.value === undefined) entries.delete(device);
    else entries.set(device, entry.value);
  });

  return {
    online: (device) => {
      const presence = entries.get(device);
      return presence !== undefined && isOnline(presence) ? presence : undefined;
    },
    *devices() {
      for (const [device, presence] of entries) if (isOnline(presence)) yield [device, presence] as const;
    },
    gateways: () => [...leases.values()].filter(({ at }) => isAlive(at)).map(({ lease }) => lease),
    close: () => {
      leaseWatch.close();
      presenceWatch.close();
    },
  };
}

const pollMs = 50;

/**
 * Reads a device's presence, of `session` if given. Waits up to `timeoutMs`, because presence may arrive shortly after the
 * message that needs it. Returns undefined if it did not arrive. Throws the reason of `signal`.
 */
export async function awaitPresence(
  view: PresenceView,
  { device, session, timeoutMs }: { readonly device: string; readonly session?: string; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<Presence | undefined> {
  for (const deadline = performance.now() + timeoutMs; ;) {
    const found = view.online(device);
    if (found && (session === undefined || found.session === session)) return found;
    if (performance.now() >= deadline) return undefined;
    await delay(pollMs, undefined, { signal });
  }
}
