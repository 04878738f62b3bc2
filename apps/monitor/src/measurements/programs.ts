import { channels, type Stats } from "@voxbus/protocol";
import type { Bus, Closer } from "@voxbus/subscriber";

/** After which silence a process that had not said that it stops counts as lost, ms: four reports. */
export const lostMs = 20_000;
/** How long a lost process is still shown, ms. */
const showLostMs = 10 * 60_000;
const maxPrograms = 10_000;
const maxReports = 100;

/** One process as it last told. */
export interface ProgramView {
  readonly stats: Stats;
  /** Since when it is silent for longer than it may be. */
  readonly lost: boolean;
}

/** The processes of the system, as they tell of themselves. */
export interface Programs extends Closer {
  /** Those that run, and those that were lost not long ago. */
  list(): readonly ProgramView[];
  /** What each process that runs has told since the last time that this was asked, oldest first; never an empty list. */
  take(): readonly (readonly Stats[])[];
  /** Gateways that said, since the last time that this was asked, that they leave. */
  takeLeaving(): ReadonlySet<string>;
}

interface Known {
  reports: Stats[];
  last: Stats;
  heardAt: number;
}

/** Collects what all processes say on `stats.*`. */
export function collectPrograms(bus: Bus): Programs {
  const known = new Map<string, Known>();
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
    known.delete(instance);
    known.set(instance, { reports, last: stats, heardAt: performance.now() });
    if (known.size > maxPrograms) known.delete(known.keys().next().value ?? "");
  });
  // While NATS was away nobody could be heard.
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

/** What a process is called where alerts and histories name it: a gateway by its id, others by program and instance. */
export function subjectOf({ program, id, instance }: Stats): string {
  return id ?? `${program}-${instance}`;
}

/** A process as people know it. */
export function describeProgram({ program, id, host, pid }: Stats): string {
  return id === undefined ? `${program} on ${host} (pid ${pid})` : `${program} ${id}`;
}
