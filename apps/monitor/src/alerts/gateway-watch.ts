import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import { buckets } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import { followGateways, type KnownGateway } from "./gateway-losses.ts";

const noteId = "=gateways";
/** How long a lease must be missing before its gateway counts as lost, ms. */
const graceMs = 3000;
/** After how long a gateway that was lost is given up, ms. */
const forgetMs = 10 * 60_000;
// Of gateways that were there before the whole system was stopped nothing can be said.
const noteFreshMs = 90_000;
const noteEveryMs = 30_000;
// A new monitor, and whatever was started with it, needs so long to see every lease.
const usualSettleMs = 12_000;

/** Follows which gateways are lost; what it knows is noted in KV `monitor`, for the monitor after this one. */
export interface GatewayWatch {
  /** Takes up the note of the monitor before. Throws BusAwayError. */
  inherit(): Promise<void>;
  /** 1 for a gateway that is lost, 0 for one that is not or no longer. Throws BusAwayError. */
  look(leaving: ReadonlySet<string>): Promise<ReadonlyMap<string, 0 | 1>>;
}

/** Creates the watch. */
export function watchGateways(parts: {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly log: Log;
  readonly settleMs?: number;
}): GatewayWatch {
  const { bus, presence, log, settleMs = usualSettleMs } = parts;
  const bucket = bus.bucket(buckets.seenGateways);
  let known: ReadonlyMap<string, KnownGateway> = new Map();
  let noted = "";
  let notedAt = -Infinity;
  let inheritedAt = -Infinity;

  return {
    async inherit() {
      const note = (await bucket.get(noteId))?.value;
      const fresh = note !== undefined && Date.now() - note.at < noteFreshMs;
      known = new Map(fresh ? Object.entries(note.gateways) : []);
      inheritedAt = performance.now();
      log.debug({ gateways: known.size }, "gateways taken over from the monitor before");
    },
    async look(leaving) {
      const now = performance.now();
      const leases = presence.gateways();
      const settling = now - inheritedAt < settleMs;
      // A gateway that died and came back while no monitor looked is told apart by its epoch, and not by its absence.
      const news = followGateways(known, {
        leases,
        leaving,
        now,
        graceMs: settling ? settleMs : Math.min(graceMs, settleMs),
        forgetMs,
      });
      known = news.known;
      const gateways = Object.fromEntries([...known].map(([id, { epoch, leaving }]) => [id, { epoch, leaving }]));
      const text = JSON.stringify(gateways);
      if (text !== noted || now - notedAt > noteEveryMs) {
        await bucket.put(noteId, { at: Date.now(), gateways });
        [noted, notedAt] = [text, now];
      }
      return news.lost;
    },
  };
}
