import { setTimeout as sleep } from "node:timers/promises";
import { BusAwayError, ConflictError, StorageFullError, type Bus } from "@voxbus/bus";
import { countUpTo, endRecord, findProcess } from "@voxbus/presence";
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
  opened(session: RecordedSession, previous: Presence | undefined): void;
  /**
   * A session ended, perhaps before it was opened here. Its time counts up to its last sign of life. Does nothing if a newer
   * session has counted it already.
   */
  ended(session: RecordedSession, reason: string): void;
  /** Writes the changes that wait, for 2 s at most. */
  close(): Promise<void>;
}

/** A session as records see it: times in ms since the epoch, `lastSeen` being the last sign of life so far. */
export interface RecordedSession {
  readonly device: string;
  readonly id: string;
  readonly since: number;
  readonly lastSeen: number;
}

/** Creates the records of one gateway's devices. `now` gives the time in ms since the epoch. */
export function createDeviceRecords(
  bus: Bus,
  log: Log,
  { refreshMs = usualRefreshMs, now = Date.now }: { readonly refreshMs?: number; readonly now?: () => number } = {},
): DeviceRecords {
  const open = new Map<string, RecordedSession>();
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
    for (const [device, { id, lastSeen }] of open) {
      change(device, (record) => (record.session === id ? countUpTo(record, lastSeen) : undefined));
    }
  }, refreshMs);

  return {
    opened(session, previous) {
      const { device, id } = session;
      open.set(device, session);
      sessions.add(id);
      const at = now();
      change(device, async (record) => {
        if (record.session === undefined) return { ...record, lastSeen: at, session: id };
        // Without a presence, nothing tells how long the session lasted.
        const lostAt = previous ? await findEnd(bus, previous, record) : record.lastSeen;
        const before = endRecord(
          record,
          Math.min(lostAt ?? at, at),
          lostAt === undefined ? "replaced" : "gateway_lost",
        );
        return { ...before, lastSeen: at, session: id };
      });
    },
    ended({ device, id, since, lastSeen }, reason) {
      if (open.get(device)?.id === id) open.delete(device);
      const wasOpened = sessions.delete(id);
      change(device, (record) => {
        if (record.session !== (wasOpened ? id : undefined)) return undefined;
        const from = wasOpened ? record : { ...record, lastSeen: Math.max(since, record.lastSeen) };
        return endRecord(from, lastSeen, reason);
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

/**
 * Gives the time at which a session ended whose gateway is dead: that gateway's last sign of life, or else the time at which
 * its record was written. Undefined while its gateway lives.
 */
async function findEnd(bus: Bus, { gateway, epoch }: Presence, record: DeviceRecord): Promise<number | undefined> {
  const lease = (await bus.bucket(buckets.gateways).get(gateway))?.value;
  if (lease?.epoch === epoch) return undefined;
  return (await findProcess(bus, { id: gateway, epoch }))?.at ?? record.lastSeen;
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
      if (error instanceof StorageFullError) throw error;
      if (error instanceof BusAwayError && !closed()) await sleep(retryMs);
      else if (!(error instanceof ConflictError)) throw error;
    }
  }
}
