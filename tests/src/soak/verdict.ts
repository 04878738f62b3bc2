import type { Sample } from "./sample.ts";
import { fitSlope } from "./slope.ts";

/** Bounds within which nothing leaks: MB an hour, and so many more than before the devices came. */
export const bounds = {
  /** What a program holds after a collection. */
  heldPerHour: 10,
  /** Resident memory, with what allocators and threads keep for themselves. */
  rssPerHour: 60,
  handles: 4,
  timers: 4,
  subscriptions: 2,
  consumers: 0,
} as const;

/** How one number of one process grew while devices came and went; MB an hour. */
export interface Growth {
  readonly process: string;
  readonly what: "held" | "rss";
  readonly perHour: number;
  readonly error: number;
}

/** Fits the memory of every process, from the samples after the warm-up. */
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

/** Everything that is not as it should be, a sentence each. A slope counts when it is over its bound by twice its error. */
export function findLeaks(options: {
  readonly before: Sample;
  readonly after: Sample;
  readonly growth: readonly Growth[];
}): readonly string[] {
  const { before, after, growth } = options;
  const leaks: string[] = [];
  for (const { process, what, perHour, error } of growth) {
    // nats-server keeps what it is told to keep, up to the age of its streams.
    if (process === "nats-server") continue;
    const bound = what === "held" ? bounds.heldPerHour : bounds.rssPerHour;
    if (perHour - 2 * error > bound) leaks.push(`${process}: ${what} grows by ${perHour.toFixed(1)} MB an hour`);
  }
  for (const [name, one] of after.processes) {
    const first = before.processes.get(name);
    if (first?.pid !== one.pid) leaks.push(`${name}: it was started again`);
    else {
      const handles = one.handles - first.handles;
      const timers = (one.timers ?? 0) - (first.timers ?? 0);
      if (handles > bounds.handles) leaks.push(`${name}: ${handles} file handles more than before`);
      if (timers > bounds.timers) leaks.push(`${name}: ${timers} timers more than before`);
    }
  }
  const subscriptions = after.subscriptions - before.subscriptions;
  if (subscriptions > bounds.subscriptions) leaks.push(`nats-server: ${subscriptions} subscriptions more than before`);
  for (const [stream, count] of Object.entries(after.consumers)) {
    const more = count - (before.consumers[stream] ?? 0);
    if (more > bounds.consumers) leaks.push(`${stream}: ${more} consumers more than before`);
  }
  if (after.connections > 0) leaks.push(`gateway: ${after.connections} connections are left`);
  // The other buckets keep what they know of a device beyond its sessions.
  const present = (after.keys["presence"] ?? 0) - (before.keys["presence"] ?? 0);
  if (present > 0) leaks.push(`presence: ${present} keys are left`);
  return leaks;
}
