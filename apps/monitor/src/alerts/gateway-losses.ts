import type { GatewayLease } from "@voxbus/protocol";

/** A gateway that was seen. */
export interface KnownGateway {
  readonly epoch: string;
  /** True if it announced that it leaves. */
  readonly leaving: boolean;
  /** The time since which its lease is missing, by the clock of `now`. */
  readonly missingSince?: number | undefined;
}

/** The gateways that are known now, and for each gateway 1 if it is lost, otherwise 0. */
export interface GatewayLosses {
  readonly known: ReadonlyMap<string, KnownGateway>;
  readonly lost: ReadonlyMap<string, 0 | 1>;
}

/**
 * Compares the known gateways with the leases that live. A gateway is lost if its lease was missing for `graceMs`, or if
 * another process took its id, unless it had announced that it leaves (`leaving`: those that have announced it just now).
 * A gateway that stays away for `forgetMs` is given up.
 */
export function findLosses(
  known: ReadonlyMap<string, KnownGateway>,
  seen: {
    readonly leases: readonly GatewayLease[];
    readonly leaving: ReadonlySet<string>;
    readonly now: number;
    readonly graceMs: number;
    readonly forgetMs: number;
  },
): GatewayLosses {
  const { leases, leaving, now, graceMs, forgetMs } = seen;
  const next = new Map<string, KnownGateway>();
  const lost = new Map<string, 0 | 1>();
  for (const { id, epoch, draining } of leases) {
    const before = known.get(id);
    const left = before?.leaving === true || leaving.has(id);
    // Another process under the same id: the one before was lost, unless it had announced that it leaves.
    const replaced = before !== undefined && before.epoch !== epoch;
    const missed = replaced && before.missingSince !== undefined && now - before.missingSince >= graceMs;
    lost.set(id, replaced && !left && !missed ? 1 : 0);
    next.set(id, { epoch, leaving: draining || (left && !replaced) });
  }
  for (const [id, before] of known) {
    if (next.has(id)) continue;
    const missingSince = before.missingSince ?? now;
    const left = before.leaving || leaving.has(id);
    const givenUp = now - missingSince >= forgetMs;
    if (!left && !givenUp) next.set(id, { ...before, missingSince });
    lost.set(id, !left && !givenUp && now - missingSince >= graceMs ? 1 : 0);
  }
  return { known: next, lost };
}
