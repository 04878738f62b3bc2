import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets, type GatewayLease } from "@voxbus/protocol";

/** Thrown when a newer process holds the gateway id. */
export class IdTakenError extends Error {
  override readonly name = "IdTakenError";
}

/** Identity of a gateway process, and the numbers in its lease. */
export interface LeaseOptions {
  readonly id: string;
  /** A ULID of the process. The newest process owns the lease of `id`. */
  readonly epoch: string;
  /** The address where devices connect, for people to read. */
  readonly address: string;
  /** The URL to which OTA may send devices. Without it OTA sends none here. */
  readonly url?: string | undefined;
  readonly load: () => GatewayLease["load"];
}

/** The lease of one gateway process. */
export interface Lease {
  /** Writes the lease with new numbers. Throws IdTakenError. */
  renew(draining: boolean): Promise<void>;
  /** Removes the lease if this process still owns it. */
  remove(): Promise<void>;
}

/** Creates the lease of one gateway process. The first `renew` writes it. */
export function createLease(bus: Bus, { id, epoch, address, url, load }: LeaseOptions): Lease {
  const bucket = bus.bucket(buckets.gateways);
  const since = bus.now();
  return {
    renew: (draining) =>
      bucket.modify(id, (holder) => {
        if (holder !== undefined && holder.epoch > epoch) {
          throw new IdTakenError(
            `another gateway, at ${holder.address}, started with the id ${id} too; give each its own VOXBUS_GATEWAY_ID`,
          );
        }
        return { id, epoch, address, url, load: load(), draining, since };
      }),
    remove: async () => {
      const found = await bucket.get(id);
      if (found?.value?.epoch !== epoch) return;
      try {
        await bucket.remove(id, found.revision);
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    },
  };
}
