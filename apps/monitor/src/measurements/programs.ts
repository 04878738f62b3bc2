import { channels, type Stats } from "@voxbus/protocol";
import type { Bus, Closer } from "@voxbus/subscriber";
import QuickLRU from "quick-lru";

/** A process that sends no report for this long counts as lost, unless it said that it stops [ms]. Four reports. */
export const lostMs = 20_000;
/** Time for which a lost process is still listed [ms]. */
const showLostMs = 10 * 60_000;
const maxPrograms = 10_000;
const maxReports = 100;

/** One process by its last report. */
export interface ProgramView {
  readonly stats: Stats;
  /** True while it has been silent for 20 s. */
  readonly lost: boolean;
}

/** The processes of the system, by what they report of themselves. */
export interface Programs extends Closer {
  /** The processes that run, and those that were lost in the last 10 minutes. */
  list(): readonly ProgramView[];
  /** The reports of each running process since the last call, oldest first; without a new one its last report. */
  take(): readonly (readonly Stats[])[];
  /** The gateways that have announced since the last call that they leave. */
  takeLeaving(): ReadonlySet<string>;
}

interface Known {
  reports: Stats[];
  last: Stats;
  heardAt: number;
}

/** Collects what all processes report on `stats.*`. */
export function collectPrograms(bus: Bus): Programs {
  const known = new QuickLRU<string, Known>({ maxSize: maxPrograms });
  let leaving = new Set<string>();
  const isLost = ({ heardAt }: Known) => performance.now() - heardAt > lostMs;

  const subscription = bus.subscribe(channels.stats("*"), (stats) => {
    const { program, instance, id, state } = stats;
    if (program === "gateway" && id !== undefined && state !== "running") leaving.add(id);
    if (state === "stopped") {
      known.delete(instance);
      return;
    }
    // A gateway's id has one process at a time.
    for (const [other, { last }] of known) {
      if (id !== undefined && last.id === id && last.program === program && other !== instance) known.delete(other);
    }
    const reports = [...(known.get(instance)?.reports ?? []), stats].slice(-maxReports);
    known.set(instance, { reports, last: stats, heardAt: performance.now() });
  });
  // No report could arrive while NATS was away.
  const watch = bus.onChange((connected) => {
    if (connected) for (const one of known.values()) one.heardAt = performance.now();
  });

  return {
    list() {
      for (const [instance, one] of known) {
        if (performance.now() - one.heardAt > showLostMs) known.delete(instance);
      }
      return [...known.values()].map((one) => ({ stats: one.last, lost: isLost(one) }));
    },
    take: () =>
      [...known.values()]
        .filter((one) => !isLost(one))
        .map((one) => {
          const { reports, last } = one;
          one.reports = [];
          return reports.length > 0 ? reports : [last];
        }),
    takeLeaving() {
      const left = leaving;
      leaving = new Set();
      return left;
    },
    close() {
      subscription.close();
      watch.close();
    },
  };
}
