import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import { buckets, type Presence } from "@voxbus/protocol";
import { watchGateways } from "./gateway-view.ts";
import type { PresenceView } from "./presence.ts";
import { createPresenceChanges } from "./presence-changes.ts";

/** Watches who is online. Resolves when the first snapshot is complete. Leases also expire by this process's clock. */
export async function watchPresence(bus: Bus): Promise<PresenceView> {
  const entries = new Map<string, Presence>();

  const online = (device: string): Presence | undefined => {
    const presence = entries.get(device);
    return presence !== undefined && isOnline(presence) ? presence : undefined;
  };
  const changes = createPresenceChanges(online, () => entries.keys());
  const leases = await watchGateways(bus, () => changes.checkAll());
  const isOnline = ({ gateway, epoch }: Presence): boolean => leases.holds(gateway, epoch);
  const presenceWatch = await bus.bucket(buckets.presence).watch((device, entry) => {
    if (entry?.value === undefined) entries.delete(device);
    else entries.set(device, entry.value);
    changes.check(device);
  });

  return {
    online,
    watch: changes.watch,
    *devices() {
      for (const [device, presence] of entries) if (isOnline(presence)) yield [device, presence] as const;
    },
    gateways: leases.gateways,
    close: () => {
      changes.close();
      leases.close();
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
