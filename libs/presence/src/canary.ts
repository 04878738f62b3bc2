import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";

/**
 * A gateway's own entry in the bucket of presence. If it can no longer be renewed, the bucket has lost entries.
 */
export interface Canary {
  /** Writes the entry for the first time. */
  create(): Promise<void>;
  /**
   * Renews the entry. Returns its earlier revision: entries up to there are still in the bucket. Returns 0 if the bucket
   * lost them. Throws when a newer process holds the gateway's id.
   */
  renew(): Promise<number>;
  remove(): Promise<void>;
}

/** Creates the canary of one gateway process. `create` writes it. */
export function createCanary(bus: Bus, { id, epoch }: { readonly id: string; readonly epoch: string }): Canary {
  const bucket = bus.bucket(buckets.canaries);
  let revision = 0;
  const put = async (): Promise<void> => void (revision = await bucket.put(id, { epoch }));
  return {
    create: put,
    renew: async () => {
      const before = revision;
      try {
        revision = await bucket.update(id, { epoch }, revision);
        return before;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
      const other = (await bucket.get(id))?.value;
      if (other !== undefined && other.epoch > epoch) throw new Error(`a newer process holds the gateway id ${id}`);
      await put();
      return 0;
    },
    remove: () => bucket.remove(id),
  };
}
