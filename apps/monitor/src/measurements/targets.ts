import type { ConsumerLag } from "@voxbus/bus";
import type { Stats } from "@voxbus/protocol";
import type { Counters } from "./counters.ts";
import { shedOf, submittedOf, waitingIn } from "./pools.ts";
import type { History } from "./series.ts";
import { busyPercent, consumerTarget, poolTarget, processTarget, type Snapshot } from "./snapshot.ts";
import { findLastingRise } from "./trend.ts";

// A process that has just started grows anyway.
const startMs = 60_000;
const minTurns = 20;
const minShed = 10;
const risePoints = 60;

/** A target of alerts: `id` names it in the alert, `label` in sentences. */
interface Named {
  readonly id: string;
  readonly label: string;
}

/** A process: the numbers of its last report, but `busy` is their mean since the last measurement. Undefined: not known yet. */
export interface ProcessTarget extends Named {
  readonly kind: "process";
  readonly stats: Stats;
  /** Percent of the cores that it can use. */
  readonly busy: number;
  /** The work that waits in it. */
  readonly waiting: number | undefined;
  /** The rise of a metric that went on for the last 60 points. */
  rise(metric: string): number | undefined;
  /** The growth of a counter over the last 10 points. */
  growth(counter: (stats: Stats) => number): number | undefined;
  /** The share of `events` in `all`. Fewer than `min` events are 0 once they were counted for 10 points. */
  share(events: number | undefined, all: number | undefined, min: number): number | undefined;
}

/** A pool of a process. */
export interface PoolTarget extends Named {
  readonly kind: "pool";
  /** p95 of the time that work waited for which a person waits, in the last minute [ms]. */
  readonly wait: number;
  /** The share of the work submitted over the last 10 points that was shed. Fewer than 10 are 0. */
  readonly shed: number | undefined;
}

/** A durable consumer. */
export interface ConsumerTarget extends Named {
  readonly kind: "consumer";
  readonly lag: ConsumerLag;
}

/** All devices together. */
export interface FleetTarget extends Named {
  readonly kind: "fleet";
  /** ms to the first sound of an answer. Fewer than 20 turns are 0 once the monitor has settled. */
  firstSound(rank: "p95" | "p99"): number | undefined;
}

/** A gateway whose lease was seen. */
export interface GatewayTarget extends Named {
  readonly kind: "gateway";
  readonly lost: 0 | 1;
}

/** A target that rules measure. */
export type Target = ProcessTarget | PoolTarget | ConsumerTarget | FleetTarget | GatewayTarget;

/** Lists the targets of a snapshot, once its samples are in the history. */
export function listTargets(snapshot: Snapshot, counters: Counters, history: History): readonly Target[] {
  const { sound } = snapshot.latencies;
  return [
    ...snapshot.programs.map((reports) => describeProcess(reports, counters, history)),
    ...snapshot.programs.flatMap((reports) => describePools(reports.at(-1)!, counters)),
    ...snapshot.lags.map((lag): ConsumerTarget => {
      const label = `the consumer ${lag.durable} of ${lag.stream}`;
      return { kind: "consumer", id: consumerTarget(lag), label, lag };
    }),
    {
      kind: "fleet",
      id: "fleet",
      label: "the fleet",
      firstSound: (rank) => (sound && sound.count >= minTurns ? sound[rank] : snapshot.settled ? 0 : undefined),
    },
  ];
}

function describeProcess(reports: readonly Stats[], counters: Counters, history: History): ProcessTarget {
  const stats = reports.at(-1)!;
  const id = processTarget(stats);
  return {
    kind: "process",
    id,
    label: labelOf(stats),
    stats,
    busy: busyPercent(reports),
    waiting: waitingIn(stats),
    rise(metric) {
      const points = history.find(metric, id)?.newest(risePoints) ?? [];
      const began = Date.now() - stats.uptime;
      if (points.length < risePoints || points[0]![0] - began < startMs) return undefined;
      return findLastingRise(points.map(([, value]) => value));
    },
    growth: (counter) => counters.growth(id, counter)?.by,
    share(events, all, min) {
      if (events === undefined || all === undefined) return undefined;
      if (events < min) return counters.isFull(id) ? 0 : undefined;
      return events / Math.max(1, all);
    },
  };
}

function labelOf(stats: Stats): string {
  const { program, host, pid, id } = stats;
  return id === undefined ? `${program} on ${host} (pid ${pid})` : `${program} ${id}`;
}

function describePools(stats: Stats, counters: Counters): readonly PoolTarget[] {
  const id = processTarget(stats);
  return (stats.pools ?? []).map(({ name, work }) => {
    const shed = counters.growth(id, shedOf(name))?.by;
    const submitted = counters.growth(id, submittedOf(name))?.by ?? 0;
    return {
      kind: "pool",
      id: poolTarget(stats, name),
      label: `the pool ${name} of ${labelOf(stats)}`,
      wait: work.find(({ priority }) => priority === "high")?.waitMs.p95 ?? 0,
      shed: shed && (shed < minShed ? 0 : shed / Math.max(shed, submitted)),
    };
  });
}
