import type { GatewayLease } from "@voxbus/protocol";

/** An entry in the bucket `presence` that a gateway process left: a device's presence or the process's canary. */
export interface Leftover {
  readonly id: string;
  readonly revision: number;
  readonly gateway: string;
  readonly epoch: string;
}

/** The entries of gateways that are gone: since when each process is missed, and the entries due to be removed. */
export interface Stranded<L extends Leftover> {
  readonly missing: ReadonlyMap<string, number>;
  readonly purge: readonly L[];
}

/**
 * Finds the entries of gateway processes without a lease. Those that were missing for `afterMs`, look after look, are to
 * be removed. `now` and `missing` are of a monotonic clock.
 */
export function findStranded<L extends Leftover>(
  entries: Iterable<L>,
  leases: readonly GatewayLease[],
  looked: { readonly missing: ReadonlyMap<string, number>; readonly now: number; readonly afterMs: number },
): Stranded<L> {
  const alive = new Set(leases.map(({ id, epoch }) => `${id} ${epoch}`));
  const missing = new Map<string, number>();
  const purge: L[] = [];
  for (const entry of entries) {
    const owner = `${entry.gateway} ${entry.epoch}`;
    if (alive.has(owner)) continue;
    const since = looked.missing.get(owner) ?? looked.now;
    missing.set(owner, since);
    if (looked.now - since >= looked.afterMs) purge.push(entry);
  }
  return { missing, purge };
}
