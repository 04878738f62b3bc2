import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { BusAwayError, ConflictError, StorageFullError, type Bus } from "@voxbus/bus";
import { buckets, type DeviceRecord } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { fixedLimits } from "../limits.ts";

/** Records that are written at once. The others wait: a storm of disconnects becomes a queue. */
const writers = 16;
/** Devices whose reports wait to be written. Beyond, a report is left out until the device starts again. */
const usualReports = 10_000;
const retryMs = 500;

/** Changes a record; undefined leaves it as it is. */
export type Change = (record: DeviceRecord) => DeviceRecord | undefined | Promise<DeviceRecord | undefined>;

/** The words of a device about itself when it asks for its configuration, and the progress of its update. */
export type DeviceReport = Pick<DeviceRecord, "firmware" | "board" | "update">;

/** Changes of devices' records that wait to be written. Those of one device are written together, in order. */
export interface RecordQueue {
  change(device: string, change: Change): void;
  /** Notes what a device says of itself. Only its newest words are written, and none that say nothing new. */
  report(device: string, report: DeviceReport): void;
  /** Writes what waits, for 2 s at most. */
  close(): Promise<void>;
}

/** Creates the queue of one gateway. At most `mostReports` reports wait. */
export function createRecordQueue(bus: Bus, log: Log, mostReports = usualReports): RecordQueue {
  const waiting = new Map<string, Change[]>();
  const reports = new Map<string, DeviceReport>();
  const running = new Map<string, Promise<void>>();
  let closed = false;

  const pump = (): void => {
    for (const [device, changes] of waiting) {
      if (running.size >= writers || closed) return;
      if (running.has(device)) continue;
      waiting.delete(device);
      const report = reports.get(device);
      reports.delete(device);
      const done = write(bus, device, report ? [...changes, takeReport(report)] : changes, () => closed)
        .catch((err: unknown) => log.warn({ err, device }, "device record write failed"))
        .then(() => {
          running.delete(device);
          return pump();
        });
      running.set(device, done);
    }
  };
  const add = (device: string, changes: readonly Change[]): void => {
    const before = waiting.get(device);
    if (before) before.push(...changes);
    else waiting.set(device, [...changes]);
    pump();
  };

  return {
    change: (device, change) => add(device, [change]),
    report(device, report) {
      if (!reports.has(device) && reports.size >= mostReports) return;
      reports.set(device, { ...reports.get(device), ...report });
      add(device, []);
    },
    async close() {
      const written = async () => {
        while (running.size > 0) await Promise.all(running.values());
      };
      await Promise.race([written(), sleep(fixedLimits.recordsMs, undefined, { ref: false })]);
      closed = true;
      if (waiting.size > 0) log.warn({ devices: waiting.size }, "device records left unwritten");
    },
  };
}

function takeReport(report: DeviceReport): Change {
  return (record) => {
    const changed = { ...record, ...report };
    // Anyone may download an image in the name of a device that never asked.
    if (changed.firmware === undefined && changed.board === undefined) return undefined;
    return isDeepStrictEqual(changed, record) ? undefined : changed;
  };
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
