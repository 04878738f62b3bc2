import type { GatewayLease } from "@voxbus/protocol";

/** An entry of the bucket `presence` that a gateway process wrote: a device's presence, or the process's canary. */
export interface OwnedEntry {
  readonly id: string;
  readonly revision: number;
  readonly gateway: string;
  readonly epoch: string;
}

/** The gateway processes without a lease, with the time since which each is missing, and the entries to remove. */
export interface Garbage<E extends OwnedEntry> {
  readonly missing: ReadonlyMap<string, number>;
  readonly entries: readonly E[];
}

/**
 * Finds the entries of gateway processes without a lease. They are garbage once their process was missing for `afterMs` in
 * every check. `now` and `missing` are of a monotonic clock.
 */
export function findGarbage<E extends OwnedEntry>(
  entries: Iterable<E>,
  leases: readonly GatewayLease[],
  before: { readonly missing: ReadonlyMap<string, number>; readonly now: number; readonly afterMs: number },
): Garbage<E> {
  const alive = new Set(leases.map(({ id, epoch }) => `${id} ${epoch}`));
  const missing = new Map<string, number>();
  const garbage: E[] = [];
  for (const entry of entries) {
    const owner = `${entry.gateway} ${entry.epoch}`;
    if (alive.has(owner)) continue;
    const since = before.missing.get(owner) ?? before.now;
    missing.set(owner, since);
    if (before.now - since >= before.afterMs) garbage.push(entry);
  }
  return { missing, entries: garbage };
}
