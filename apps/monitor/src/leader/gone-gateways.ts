import type { Entry } from "@voxbus/bus";
import { Presence, type GatewayLease } from "@voxbus/protocol";
import { z } from "zod";

// What a gateway keeps in the bucket to notice that it was wiped (docs/bus.md, presence and leases).
const Canary = z.object({ epoch: z.string() });
const canaryPrefix = "=canary-";

/** What is left of gateways that are gone: since when each process is missed, and the entries that it is time to purge. */
export interface Stranded {
  readonly missing: ReadonlyMap<string, number>;
  readonly purge: readonly Entry[];
}

/**
 * Finds the presence entries, and canaries, of gateway processes without a lease. Those that were missing for `afterMs`,
 * look after look, are to be purged. `now` and `missing` are of a monotonic clock.
 */
export function findStranded(
  entries: Iterable<Entry>,
  leases: readonly GatewayLease[],
  looked: { readonly missing: ReadonlyMap<string, number>; readonly now: number; readonly afterMs: number },
): Stranded {
  const alive = new Set(leases.map(({ id, epoch }) => `${id} ${epoch}`));
  const missing = new Map<string, number>();
  const purge: Entry[] = [];
  for (const entry of entries) {
    const owner = ownerOf(entry);
    if (owner === undefined || alive.has(owner)) continue;
    const since = looked.missing.get(owner) ?? looked.now;
    missing.set(owner, since);
    if (looked.now - since >= looked.afterMs) purge.push(entry);
  }
  return { missing, purge };
}

function ownerOf({ key, value }: Entry): string | undefined {
  if (key.startsWith(canaryPrefix)) {
    const canary = Canary.safeParse(value).data;
    return canary && `${key.slice(canaryPrefix.length)} ${canary.epoch}`;
  }
  const presence = Presence.safeParse(value).data;
  return presence && `${presence.gateway} ${presence.epoch}`;
}
