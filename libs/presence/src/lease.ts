import { buckets, type GatewayLease } from "@voxbus/protocol";
import { ConflictError, type Bus } from "@voxbus/bus";

/** Who a gateway is, to its lease. */
export interface LeaseOptions {
  readonly id: string;
  /** A ULID of the process: the newer one owns the lease of `id`. */
  readonly epoch: string;
  /** Where devices reach it, for people to read. */
  readonly address: string;
  readonly load: () => GatewayLease["load"];
}

/** The lease of one gateway process. */
export interface Lease {
  /** Writes it with new numbers. Throws when a newer process holds the id. */
  renew(draining: boolean): Promise<void>;
  /** Removes it, if it is still ours. */
  remove(): Promise<void>;
}

/** Creates a lease, which is not written before it is renewed. */
export function createLease(bus: Bus, { id, epoch, address, load }: LeaseOptions): Lease {
  const bucket = bus.bucket(buckets.gateways);
  const since = Date.now();
  let revision = 0;
  return {
    renew: async (draining) => {
      for (;;) {
        try {
          const lease = { id, epoch, address, load: load(), draining, since } satisfies GatewayLease;
          revision = await bucket.update(id, lease, revision);
          return;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
        const found = await bucket.get(id);
        const holder = found?.value;
        if (holder !== undefined && holder.epoch > epoch) {
          throw new Error(`a newer process at ${holder.address} holds the gateway id ${id}`);
        }
        revision = found?.revision ?? 0;
      }
    },
    remove: async () => {
      try {
        await bucket.remove(id, revision);
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    },
  };
}
