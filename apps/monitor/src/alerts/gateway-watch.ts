import type { Bus } from "@voxbus/bus";
import { findProcess, type PresenceView } from "@voxbus/presence";
import { buckets, type GatewayLease } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { findLosses, type KnownGateway } from "./gateway-losses.ts";

const noteId = "=gateways";
/** A gateway counts as lost once its lease is missing for this long [ms]. */
const graceMs = 3000;
/** A lost gateway is given up after this time [ms]. */
const forgetMs = 10 * 60_000;
// An older note is from before the whole system was stopped, and says nothing about gateways now.
const noteFreshMs = 90_000;
const noteEveryMs = 30_000;
// Programs that start together need this long to see every lease.
const usualSettleMs = 12_000;

/**
 * Finds lost gateways. It keeps a note of the known ones in KV `monitor`, for the monitor after this one. A gateway notes in
 * its canary that it leaves in order. If a single NATS server was restarted, that note may be missing: gateways that lived
 * before are then forgotten.
 */
export interface GatewayWatch {
  /** Continues from the note of the monitor before. Throws BusAwayError. */
  inherit(): Promise<void>;
  /** Resolves with 1 for each lost gateway and 0 for each other one. Throws BusAwayError. */
  check(leaving: ReadonlySet<string>): Promise<ReadonlyMap<string, 0 | 1>>;
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
  let server = "";
  let noted = "";
  let notedAt = -Infinity;
  let inheritedAt = -Infinity;
  /** The time at which another NATS server was found. */
  let changedAt = -Infinity;

  return {
    async inherit() {
      const note = (await bucket.get(noteId))?.value;
      server = bus.server();
      const fresh = note !== undefined && Date.now() - note.at < noteFreshMs && note.server === server;
      known = new Map(fresh ? Object.entries(note.gateways) : []);
      inheritedAt = performance.now();
      log.debug({ gateways: known.size }, "gateways taken over");
    },
    async check(leaving) {
      const now = performance.now();
      const leases = presence.gateways();
      if (bus.server() !== server) changedAt = now;
      server = bus.server();
      // For a moment the view still has leases from before the restart.
      if (now - changedAt < Math.min(graceMs, settleMs))
        known = new Map([...known].filter(([, { missingSince }]) => missingSince !== undefined));
      const settling = now - inheritedAt < settleMs;
      // A gateway that died and came back while no monitor ran shows by its epoch, not by its absence.
      const losses = findLosses(known, {
        leases,
        leaving: new Set([...leaving, ...(await findLeft(bus, known, leases))]),
        now,
        graceMs: settling ? settleMs : Math.min(graceMs, settleMs),
        forgetMs,
      });
      known = losses.known;
      const gateways = Object.fromEntries([...known].map(([id, { epoch, leaving }]) => [id, { epoch, leaving }]));
      const text = JSON.stringify([server, gateways]);
      if (text !== noted || now - notedAt > noteEveryMs) {
        await bucket.put(noteId, { at: Date.now(), server, gateways });
        [noted, notedAt] = [text, now];
      }
      return losses.lost;
    },
  };
}

/** Finds the known gateways that are gone, and have noted that they leave in order. */
async function findLeft(
  bus: Bus,
  known: ReadonlyMap<string, KnownGateway>,
  leases: readonly GatewayLease[],
): Promise<readonly string[]> {
  const alive = new Set(leases.map(({ id, epoch }) => `${id} ${epoch}`));
  const gone = [...known].filter(([id, { epoch }]) => !alive.has(`${id} ${epoch}`));
  const left = await Promise.all(
    gone.map(async ([id, { epoch }]) => ((await findProcess(bus, { id, epoch }))?.left ? [id] : [])),
  );
  return left.flat();
}
