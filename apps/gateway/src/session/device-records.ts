import { setTimeout as sleep } from "node:timers/promises";
import { BusAwayError, ConflictError, type Bus } from "@voxbus/bus";
import { buckets, deviceKey, DeviceRecord, GatewayLease, type Presence } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";

/** Records that are written at once: a storm of disconnects becomes a queue. */
const writers = 16;
/** How often the record of a device that stays is brought up to date, ms: so much of its time a crash may cost. */
const refreshMs = 300_000;
const retryMs = 500;
/** How long the last records may take when the gateway stops, ms. */
const closeMs = 2000;

/** What becomes of a record; undefined leaves it as it is. */
type Change = (record: DeviceRecord) => DeviceRecord | undefined | Promise<DeviceRecord | undefined>;

/**
 * Keeps the record of every device that outlives its sessions (docs/bus.md, devices): when it was seen last, why its
 * last session ended, how long it was online in all. Each session is counted once, whoever ends it.
 */
export interface DeviceRecords {
  /** A session was opened; `previous` is the presence that it found. */
  opened(device: string, session: string, previous: Presence | undefined): void;
  /**
   * A session ended, also one that was too short to be opened here; `since` in ms since the epoch. Does nothing when a newer
   * session has counted it already.
   */
  ended(device: string, session: string, since: number, reason: string): void;
  /** Writes what waits, for 2 s at most. */
  close(): Promise<void>;
}

/** Creates the keeper of one gateway's records. */
export function createDeviceRecords(bus: Bus, log: Log, refresh = refreshMs): DeviceRecords {
  const open = new Map<string, string>();
  /** Every session that was opened and has not ended here. */
  const sessions = new Set<string>();
  /** What is to be changed, in order, of each device that is not being written. */
  const waiting = new Map<string, Change[]>();
  const running = new Map<string, Promise<void>>();
  let closed = false;

  const pump = (): void => {
    for (const [device, changes] of waiting) {
      if (running.size >= writers || closed) return;
      if (running.has(device)) continue;
      waiting.delete(device);
      const done = write(bus, device, changes, () => closed)
        .catch((err: unknown) => log.warn({ err, device }, "a device's record could not be written"))
        .then(() => {
          running.delete(device);
          return pump();
        });
      running.set(device, done);
    }
  };
  const change = (device: string, one: Change): void => {
    const changes = waiting.get(device);
    if (changes) changes.push(one);
    else waiting.set(device, [one]);
    pump();
  };
  const timer = setInterval(() => {
    const now = Date.now();
    for (const [device, session] of open) {
      change(device, (record) => (record.session === session ? count(record, now) : undefined));
    }
  }, refresh);

  return {
    opened(device, session, previous) {
      open.set(device, session);
      sessions.add(session);
      const at = Date.now();
      change(device, async (record) => {
        if (record.session === undefined) return { ...record, lastSeen: at, session };
        const lostAt = previous && (await findEnd(bus, previous, record));
        const counted = count(record, Math.min(lostAt ?? at, at));
        return { ...counted, lastSeen: at, lastReason: lostAt === undefined ? "replaced" : "gateway_lost", session };
      });
    },
    ended(device, session, since, reason) {
      if (open.get(device) === session) open.delete(device);
      const wasOpened = sessions.delete(session);
      const at = Date.now();
      change(device, (record) => {
        if (record.session !== (wasOpened ? session : undefined)) return undefined;
        const from = wasOpened ? record : { ...record, lastSeen: Math.max(since, record.lastSeen) };
        const { session: _, ...rest } = count(from, at);
        return { ...rest, lastReason: reason };
      });
    },
    async close() {
      clearInterval(timer);
      const written = async () => {
        while (running.size > 0) await Promise.all(running.values());
      };
      await Promise.race([written(), sleep(closeMs, undefined, { ref: false })]);
      closed = true;
      if (waiting.size > 0) log.warn({ devices: waiting.size }, "devices' records were left unwritten");
    },
  };
}

/** Counts the open session's time up to `at`. */
function count(record: DeviceRecord, at: number): DeviceRecord {
  const lastSeen = Math.max(record.lastSeen, at);
  return { ...record, lastSeen, totalOnline: record.totalOnline + lastSeen - record.lastSeen };
}

/**
 * When a session ended whose gateway is dead: before the next process of that gateway began; else it is only known that
 * it was there when its record was written. Undefined while its gateway lives.
 */
async function findEnd(bus: Bus, { gateway, epoch }: Presence, record: DeviceRecord): Promise<number | undefined> {
  const lease = GatewayLease.safeParse((await bus.bucket(buckets.gateways).get(gateway))?.value).data;
  return lease?.epoch === epoch ? undefined : (lease?.since ?? record.lastSeen);
}

/** Reads, changes and writes one record until nobody was in between; waits for NATS while the gateway runs. */
async function write(bus: Bus, device: string, changes: readonly Change[], closed: () => boolean): Promise<void> {
  const bucket = bus.bucket(buckets.devices);
  const key = deviceKey(device);
  for (;;) {
    try {
      const entry = await bucket.get(key);
      const before = DeviceRecord.safeParse(entry?.value).data ?? { lastSeen: 0, lastReason: "", totalOnline: 0 };
      let record = before;
      for (const one of changes) record = (await one(record)) ?? record;
      if (record !== before) await bucket.update(key, record, entry?.revision ?? 0);
      return;
    } catch (error) {
      if (error instanceof BusAwayError && !closed()) await sleep(retryMs);
      else if (!(error instanceof ConflictError)) throw error;
    }
  }
}
