import { fixedLimits } from "../limits.ts";
import { TokenBucket } from "../token-bucket.ts";

/** A device that was quiet for this long has its whole budget again, ms. */
const minuteMs = 60_000;

/** Limits the turns of each device per minute, across its sessions. `now` in ms. */
export interface TurnBudget {
  /** Takes one turn. Returns false if the device has none left. */
  take(device: string, now: number): boolean;
  /** Tells whether the device must be told that it has no turns left: once a minute. */
  mustTell(device: string, now: number): boolean;
}

/** Creates the budgets of one gateway's devices. */
export function createTurnBudget(perMinute: number): TurnBudget {
  /** The device used last is at the end. */
  const devices = new Map<string, { readonly turns: TokenBucket; usedAt: number; toldAt: number }>();
  const use = (device: string, now: number) => {
    const known = devices.get(device);
    const used = known ?? { turns: new TokenBucket(perMinute / 60, perMinute), usedAt: now, toldAt: -Infinity };
    used.usedAt = now;
    devices.delete(device);
    for (const [oldest, { usedAt }] of devices) {
      if (now - usedAt < minuteMs && devices.size < fixedLimits.knownTurnBudgets) break;
      devices.delete(oldest);
    }
    devices.set(device, used);
    return used;
  };
  return {
    take: (device, now) => use(device, now).turns.take(now),
    mustTell(device, now) {
      const used = use(device, now);
      if (now - used.toldAt < minuteMs) return false;
      used.toldAt = now;
      return true;
    },
  };
}
