import type { GatewayLease } from "@voxbus/protocol";

/** A gateway that was seen. */
export interface KnownGateway {
  readonly epoch: string;
  /** It said that it would go. */
  readonly leaving: boolean;
  /** Since when its lease is missing, by the clock of `now`. */
  readonly missingSince?: number | undefined;
}

/** What became of the gateways: who is known now, and who is `lost` (1), or there or gone in order (0). */
export interface GatewayNews {
  readonly known: ReadonlyMap<string, KnownGateway>;
  readonly lost: ReadonlyMap<string, 0 | 1>;
}

/**
 * Compares the gateways known with the leases that live. One is lost when its lease was missing for `graceMs`, or another
 * process took its id, and it had not said that it leaves (`leaving`: who said so just now). One that stays away for
 * `forgetMs` is given up.
 */
export function followGateways(
  known: ReadonlyMap<string, KnownGateway>,
  seen: {
    readonly leases: readonly GatewayLease[];
    readonly leaving: ReadonlySet<string>;
    readonly now: number;
    readonly graceMs: number;
    readonly forgetMs: number;
  },
): GatewayNews {
  const { leases, leaving, now, graceMs, forgetMs } = seen;
  const next = new Map<string, KnownGateway>();
  const lost = new Map<string, 0 | 1>();
  for (const { id, epoch, draining } of leases) {
    const before = known.get(id);
    const left = before?.leaving === true || leaving.has(id);
    // Another process under the same id: the one before it was lost, unless it had said that it leaves.
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
