import type { DeviceRecord } from "@voxbus/protocol";

/** Counts the open session's time up to `at`, ms since the epoch. */
export function countUpTo(record: DeviceRecord, at: number): DeviceRecord {
  const lastSeen = Math.max(record.lastSeen, at);
  return { ...record, lastSeen, totalOnline: record.totalOnline + lastSeen - record.lastSeen };
}

/** Ends the open session, which was alive up to `at`, ms since the epoch. */
export function endRecord(record: DeviceRecord, at: number, reason: string): DeviceRecord {
  const { session: _, ...rest } = countUpTo(record, at);
  return { ...rest, lastReason: reason };
}
