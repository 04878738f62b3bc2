import type { ConsumerLag } from "@voxbus/bus";
import type { Stats } from "@voxbus/protocol";
import type { Counters } from "./counters.ts";
import type { History } from "./series.ts";
import { busyPercent, consumerTarget, processTarget, type Snapshot } from "./snapshot.ts";
import { findLastingRise } from "./trend.ts";

// A process that has just started grows anyway.
const startMs = 60_000;
const minTurns = 20;
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
  /** The rise of a metric that went on for the last 60 points. */
  rise(metric: string): number | undefined;
  /** The growth of a counter over the last 10 points. */
  growth(counter: (stats: Stats) => number): number | undefined;
  /** The share of `events` in `all`. Fewer than `min` events are 0 once they were counted for 10 points. */
  share(events: number | undefined, all: number | undefined, min: number): number | undefined;
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
export type Target = ProcessTarget | ConsumerTarget | FleetTarget | GatewayTarget;

/** Lists the targets of a snapshot, once its samples are in the history. */
export function listTargets(snapshot: Snapshot, counters: Counters, history: History): readonly Target[] {
  const { sound } = snapshot.latencies;
  return [
    ...snapshot.programs.map((reports) => describeProcess(reports, counters, history)),
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
    label: stats.id === undefined ? `${stats.program} on ${stats.host} (pid ${stats.pid})` : `${stats.program} ${id}`,
    stats,
    busy: busyPercent(reports),
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
