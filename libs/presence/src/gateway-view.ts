import type { Bus, Closer } from "@voxbus/bus";
import { bucketLifetimes, buckets, type GatewayLease } from "@voxbus/protocol";

/** A live view of the gateways. A lease also expires by this process's clock. */
export interface GatewayView extends Closer {
  /** Every gateway whose lease lives. */
  gateways(): readonly GatewayLease[];
  /** Tells whether the lease of a gateway lives and belongs to its process `epoch`. */
  holds(id: string, epoch: string): boolean;
}

/**
 * Watches the leases of the gateways. Resolves when the first snapshot is complete. Calls `changed` when another process has
 * a lease, or none has it.
 */
export async function watchGateways(bus: Bus, changed: () => void = () => undefined): Promise<GatewayView> {
  const leases = new Map<string, { readonly lease: GatewayLease; readonly at: number }>();
  const isAlive = (at: number): boolean => performance.now() - at < bucketLifetimes.gateways;

  const watch = await bus.bucket(buckets.gateways).watch((id, entry) => {
    const before = leases.get(id);
    if (entry?.value === undefined) leases.delete(id);
    else leases.set(id, { lease: entry.value, at: performance.now() });
    if (before?.lease.epoch !== entry?.value?.epoch) changed();
  });
  return {
    gateways: () => [...leases.values()].filter(({ at }) => isAlive(at)).map(({ lease }) => lease),
    holds(id, epoch) {
      const found = leases.get(id);
      return found !== undefined && found.lease.epoch === epoch && isAlive(found.at);
    },
    close: () => watch.close(),
  };
}
