import { setTimeout as delay } from "node:timers/promises";
import { deviceKey, deviceOfKey, GatewayLease, Presence } from "@voxbus/protocol";
import { leaseMs, type Bus } from "@voxbus/bus";
import type { PresenceView } from "./presence.ts";

/** Watches who is online; resolves when the first snapshot is in. Leases are timed here as well, from when they came. */
export async function watchPresence(bus: Bus): Promise<PresenceView> {
  const leases = new Map<string, { readonly lease: GatewayLease; readonly at: number }>();
  const entries = new Map<string, Presence>();

  const isAlive = (at: number): boolean => performance.now() - at < leaseMs;
  const isOnline = ({ gateway, epoch }: Presence): boolean => {
    const found = leases.get(gateway);
    return found !== undefined && found.lease.epoch === epoch && isAlive(found.at);
  };

  const leaseWatch = await bus.bucket("gateways").watch((key, entry) => {
    const lease = GatewayLease.safeParse(entry?.value).data;
    if (lease === undefined) leases.delete(key);
    else leases.set(key, { lease, at: performance.now() });
  });
  const presenceWatch = await bus.bucket("presence").watch((key, entry) => {
    const presence = Presence.safeParse(entry?.value).data;
    if (presence === undefined) entries.delete(key);
    else entries.set(key, presence);
  });

  return {
    online: (device) => {
      const presence = entries.get(deviceKey(device));
      return presence !== undefined && isOnline(presence) ? presence : undefined;
    },
    *devices() {
      for (const [key, presence] of entries) {
        const device = deviceOfKey(key);
        if (device !== undefined && isOnline(presence)) yield [device, presence] as const;
      }
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
 * A device's presence, of `session` where it is named; waits for it at most `timeoutMs`, since presence may come a
 * moment after what it is asked for. Undefined when it did not come. Throws the reason of `signal`.
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
