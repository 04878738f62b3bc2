import type { Sample } from "./sample.ts";
import { fitSlope } from "./slope.ts";

/** The bounds of normal growth: MB per hour, and differences from before the devices came. */
export const bounds = {
  /** JavaScript memory after a collection. */
  heldPerHour: 10,
  /** Resident memory, with the reserves of allocators and threads. */
  rssPerHour: 60,
  handles: 4,
  timers: 4,
  subscriptions: 2,
  consumers: 0,
} as const;

/** The growth of one number of one process while devices came and went, MB per hour. */
export interface Growth {
  readonly process: string;
  readonly what: "held" | "rss";
  readonly perHour: number;
  readonly error: number;
}

/** Fits the memory of every process to the samples after the warm-up. */
export function findGrowth(samples: readonly Sample[]): readonly Growth[] {
  const names = [...(samples[0]?.processes.keys() ?? [])];
  return names.flatMap((process) =>
    (["held", "rss"] as const).flatMap((what) => {
      const points = samples.flatMap((sample) => {
        const value = sample.processes.get(process)?.[what];
        return value === undefined ? [] : [{ at: sample.at, value }];
      });
      return points.length === 0 ? [] : [{ process, what, ...fitSlope(points) }];
    }),
  );
}

/**
 * Lists all leaks. A slope counts if it exceeds its bound by twice its error. `busy`: devices talk in both samples, and each
 * may have this many timers and subscriptions more in one of them.
 */
export function findLeaks(options: {
  readonly before: Sample;
  readonly after: Sample;
  readonly growth: readonly Growth[];
  readonly busy?: number;
}): readonly string[] {
  const { before, after, growth, busy = 0 } = options;
  const leaks: string[] = [];
  for (const { process, what, perHour, error } of growth) {
    // nats-server keeps stored messages for the age of its streams.
    if (process === "nats-server") continue;
    const bound = what === "held" ? bounds.heldPerHour : bounds.rssPerHour;
    if (perHour - 2 * error > bound) leaks.push(`${process}: ${what} grows by ${perHour.toFixed(1)} MB an hour`);
  }
  for (const [name, one] of after.processes) {
    const first = before.processes.get(name);
    if (first?.pid !== one.pid) leaks.push(`${name}: it was restarted`);
    else {
      const handles = one.handles - first.handles;
      const timers = (one.timers ?? 0) - (first.timers ?? 0);
      if (handles > bounds.handles) leaks.push(`${name}: ${handles} more file handles than before`);
      if (timers > bounds.timers + busy) leaks.push(`${name}: ${timers} more timers than before`);
    }
  }
  const subscriptions = after.subscriptions - before.subscriptions;
  if (subscriptions > bounds.subscriptions + busy)
    leaks.push(`nats-server: ${subscriptions} more subscriptions than before`);
  for (const [stream, count] of Object.entries(after.consumers)) {
    const more = count - (before.consumers[stream] ?? 0);
    if (more > bounds.consumers) leaks.push(`${stream}: ${more} more consumers than before`);
  }
  const connections = after.connections - before.connections;
  const wakeups = after.wakeups - before.wakeups;
  if (connections > 0) leaks.push(`gateway: ${connections} connections remain`);
  if (busy === 0 && after.buffered > 0) leaks.push(`gateway: ${after.buffered} bytes remain in its memory budget`);
  if (after.waiting > 0) leaks.push(`gateway: ${after.waiting} frames still wait for NATS`);
  if (wakeups > busy) leaks.push(`gateway: ${wakeups} calls of sessions are still due`);
  // The other buckets keep their records of a device beyond its sessions.
  const present = (after.keys["presence"] ?? 0) - (before.keys["presence"] ?? 0);
  if (present > 0) leaks.push(`presence: ${present} keys remain`);
  return leaks;
}
