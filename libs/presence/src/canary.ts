import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets, type Canary as CanaryEntry } from "@voxbus/protocol";

/**
 * A gateway's own entry in the bucket of presence. If it can no longer be renewed, the bucket has lost entries. It outlives
 * the process, and tells when the process was alive last and whether it stopped in order.
 */
export interface Canary {
  /** Writes the entry for the first time. */
  create(): Promise<void>;
  /**
   * Renews the entry; `left`: the process stops in order. Returns its earlier revision: entries up to there are still in
   * the bucket. Returns 0 if the bucket lost them, or if a newer process wrote here since.
   */
  renew(left: boolean): Promise<number>;
}

/** Creates the canary of one gateway process. `create` writes it. */
export function createCanary(bus: Bus, { id, epoch }: { readonly id: string; readonly epoch: string }): Canary {
  const bucket = bus.bucket(buckets.canaries);
  let revision = 0;
  let before: CanaryEntry["before"];
  const describe = (left: boolean) => ({ epoch, at: bus.now(), left, ...(before && { before }) });
  return {
    create: async () => {
      const found = (await bucket.get(id))?.value;
      if (found) before = { epoch: found.epoch, at: found.at, left: found.left };
      revision = await bucket.put(id, describe(false));
    },
    renew: async (left) => {
      const earlier = revision;
      try {
        revision = await bucket.update(id, describe(left), revision);
        return earlier;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
      const other = await bucket.get(id);
      const isNewer = other?.value !== undefined && other.value.epoch > epoch;
      // The lease decides who holds the id. If the newer process is gone, the next renewal succeeds.
      revision = isNewer ? other.revision : await bucket.put(id, describe(left));
      return 0;
    },
  };
}

/** Finds what is known of a gateway process, by the canary of its id. */
export async function findProcess(
  bus: Bus,
  { id, epoch }: { readonly id: string; readonly epoch: string },
): Promise<CanaryEntry["before"]> {
  const canary = (await bus.bucket(buckets.canaries).get(id))?.value;
  return [canary, canary?.before].find((process) => process?.epoch === epoch);
}
