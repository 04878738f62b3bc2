import type { Bus } from "@voxbus/bus";
import { countUpTo, endRecord, findProcess } from "@voxbus/presence";
import { buckets, type DeviceRecord, type Presence } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { createRecordQueue, type DeviceReport } from "./record-queue.ts";

/**
 * The record of a device that stays is updated at this interval, ms, or twice in the validity of its token. After a crash the
 * time of the session is known without that, unless the bucket `presence` is lost too.
 */
const usualRefreshMs = 3_600_000;

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
  /** A device said what it runs. That does not count as having been here. */
  reported(device: string, report: DeviceReport): void;
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

/** Options of the records. */
interface RecordOptions {
  /** The validity of tokens since their device was last here, ms. */
  readonly tokenMs?: number;
  readonly refreshMs?: number;
  /** Gives the time in ms since the epoch. */
  readonly now?: () => number;
  /** The most reports that wait to be written. */
  readonly mostReports?: number;
}

/** Creates the records of one gateway's devices. */
export function createDeviceRecords(
  bus: Bus,
  log: Log,
  {
    tokenMs = Infinity,
    refreshMs = Math.min(usualRefreshMs, tokenMs / 2),
    now = Date.now,
    mostReports,
  }: RecordOptions = {},
): DeviceRecords {
  const open = new Map<string, RecordedSession>();
  /** Every session that was opened here and has not ended. */
  const sessions = new Set<string>();
  const queue = createRecordQueue(bus, log, mostReports);
  const { change } = queue;
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
        if (record.session === undefined) return { ...begin(record, at), lastSeen: at, session: id };
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
        const from = wasOpened ? record : { ...begin(record, since), lastSeen: Math.max(since, record.lastSeen) };
        return endRecord(from, lastSeen, reason);
      });
    },
    reported: queue.report,
    async close() {
      clearInterval(timer);
      await queue.close();
    },
  };
}

/** Notes when a device is here for the first time: until then its record has no time. */
function begin(record: DeviceRecord, at: number): DeviceRecord {
  return record.lastSeen === 0 ? { ...record, firstSeen: at } : record;
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
