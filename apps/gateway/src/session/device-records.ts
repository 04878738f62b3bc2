import { setTimeout as sleep } from "node:timers/promises";
import { BusAwayError, ConflictError, type Bus } from "@voxbus/bus";
import { buckets, type DeviceRecord, type Presence } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { fixedLimits } from "../limits.ts";

/** Records that are written at once. The others wait: a storm of disconnects becomes a queue. */
const writers = 16;
/** The record of a device that stays is updated at this interval, ms. A crash loses at most this much of its time. */
const usualRefreshMs = 300_000;
const retryMs = 500;

/** Changes a record; undefined leaves it as it is. */
type Change = (record: DeviceRecord) => DeviceRecord | undefined | Promise<DeviceRecord | undefined>;

/**
 * Keeps the records of devices, which outlive their sessions (docs/bus.md, devices): when a device was seen last, why its
 * last session ended, how long it was online in all. Each session is counted once, whichever gateway ends it.
 */
export interface DeviceRecords {
  /** A session was opened. `previous` is the presence that it found. */
  opened(device: string, session: string, previous: Presence | undefined): void;
  /**
   * A session ended, perhaps before it was opened here. `since` in ms since the epoch. Does nothing if a newer session has
   * counted it already.
   */
  ended(device: string, session: string, since: number, reason: string): void;
  /** Writes the changes that wait, for 2 s at most. */
  close(): Promise<void>;
}

/** Creates the records of one gateway's devices. `now` gives the time in ms since the epoch. */
export function createDeviceRecords(
  bus: Bus,
  log: Log,
  { refreshMs = usualRefreshMs, now = Date.now }: { readonly refreshMs?: number; readonly now?: () => number } = {},
): DeviceRecords {
  const open = new Map<string, string>();
  /** Every session that was opened here and has not ended. */
  const sessions = new Set<string>();
  /** Changes that wait, in order, by device. */
  const waiting = new Map<string, Change[]>();
  const running = new Map<string, Promise<void>>();
  let closed = false;

  const pump = (): void => {
    for (const [device, changes] of waiting) {
      if (running.size >= writers || closed) return;
      if (running.has(device)) continue;
      waiting.delete(device);
      const done = write(bus, device, changes, () => closed)
        .catch((err: unknown) => log.warn({ err, device }, "device record write failed"))
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
    const at = now();
    for (const [device, session] of open) {
      change(device, (record) => (record.session === session ? count(record, at) : undefined));
    }
  }, refreshMs);

  return {
    opened(device, session, previous) {
      open.set(device, session);
      sessions.add(session);
      const at = now();
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
      const at = now();
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
      await Promise.race([written(), sleep(fixedLimits.recordsMs, undefined, { ref: false })]);
      closed = true;
      if (waiting.size > 0) log.warn({ devices: waiting.size }, "device records left unwritten");
    },
  };
}

/** Counts the open session's time up to `at`, ms since the epoch. */
function count(record: DeviceRecord, at: number): DeviceRecord {
  const lastSeen = Math.max(record.lastSeen, at);
  return { ...record, lastSeen, totalOnline: record.totalOnline + lastSeen - record.lastSeen };
}

/**
 * Gives the time at which a session ended whose gateway is dead: the start of that gateway's next process, or else the time
 * at which its record was written. Undefined while its gateway lives.
 */
async function findEnd(bus: Bus, { gateway, epoch }: Presence, record: DeviceRecord): Promise<number | undefined> {
  const lease = (await bus.bucket(buckets.gateways).get(gateway))?.value;
  return lease?.epoch === epoch ? undefined : (lease?.since ?? record.lastSeen);
}

/** Changes one record. Waits for NATS while the gateway runs. */
async function write(bus: Bus, device: string, changes: readonly Change[], closed: () => boolean): Promise<void> {
  const apply = async (found: DeviceRecord | undefined) => {
    const before = found ?? { lastSeen: 0, lastReason: "", totalOnline: 0 };
    let record = before;
    for (const change of changes) record = (await change(record)) ?? record;
    return record === before ? undefined : record;
  };
  for (;;) {
    try {
      return await bus.bucket(buckets.devices).modify(device, apply);
    } catch (error) {
      if (error instanceof BusAwayError && !closed()) await sleep(retryMs);
      else if (!(error instanceof ConflictError)) throw error;
    }
  }
}
