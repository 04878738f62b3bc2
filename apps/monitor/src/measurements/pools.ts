import { priorities, type PoolWork, type Stats } from "@voxbus/protocol";
import type { ProcessPool, ProgramPool, WorkView } from "./load-view.ts";
import { processTarget } from "./snapshot.ts";

const counts = ["submitted", "running", "peak", "waiting", "waited", "done", "failed", "timedOut", "shed"] as const;
type Counts = Pick<PoolWork, (typeof counts)[number]>;
const ranks = ["p50", "p95", "p99"] as const;

/**
 * Sums the pools of processes by program and name. Counts, and `peak`, are sums. Means are weighted by the work that ended,
 * and a percentile is that of the process in which it is the highest.
 */
export function sumPools(processes: readonly Stats[]): readonly ProgramPool[] {
  const found = new Map<string, { program: string; name: string; processes: ProcessPool[] }>();
  for (const stats of processes) {
    for (const { name, slots, busy, work } of stats.pools ?? []) {
      const key = `${stats.program} ${name}`;
      const pool = found.get(key) ?? { program: stats.program, name, processes: [] };
      pool.processes.push({ id: processTarget(stats), host: stats.host, slots, busy, ...describeWork(work) });
      found.set(key, pool);
    }
  }
  return [...found.values()]
    .map((pool) => {
      const slots = pool.processes.reduce((sum, one) => sum + one.slots, 0);
      const used = pool.processes.reduce((sum, one) => sum + one.slots * one.busy, 0);
      const busy = Math.min(1, used / Math.max(1, slots));
      return { ...pool, slots, busy, ...describeWork(pool.processes.flatMap(({ work }) => work)) };
    })
    .sort((a, b) => (`${a.program} ${a.name}` < `${b.program} ${b.name}` ? -1 : 1));
}

function describeWork(work: readonly PoolWork[]): Pick<ProgramPool, "all" | "work"> {
  return {
    all: sumWork(work),
    work: priorities.flatMap((priority) => {
      const own = work.filter((one) => one.priority === priority);
      return own.length > 0 ? [{ priority, ...sumWork(own) }] : [];
    }),
  };
}

function sumWork(work: readonly Omit<PoolWork, "priority">[]): WorkView {
  const sums = Object.fromEntries(
    counts.map((name) => [name, work.reduce((sum, one) => sum + one[name], 0)]),
  ) as Counts;
  const ended = endedOf(sums);
  return {
    ...sums,
    waitMs: mergeTimes(work, "waitMs"),
    workMs: mergeTimes(work, "workMs"),
    ...(ended > 0 ? { successRate: sums.done / ended } : {}),
  };
}

function mergeTimes(work: readonly Omit<PoolWork, "priority">[], times: "waitMs" | "workMs"): PoolWork["waitMs"] {
  // A process without any time in the last minute reports 0 for each.
  const timed = work.filter((one) => one[times].p99 > 0);
  const weights = timed.map(endedOf);
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = timed.reduce((sum, one, at) => sum + one[times].mean * (whole > 0 ? weights[at]! / whole : 1), 0);
  const highest = ranks.map((rank) => [rank, Math.max(0, ...timed.map((one) => one[times][rank]))]);
  return {
    mean: whole > 0 ? mean : mean / Math.max(1, timed.length),
    ...Object.fromEntries(highest),
  } as PoolWork["waitMs"];
}

const endedOf = ({ done, failed, timedOut, shed }: Counts): number => done + failed + timedOut + shed;

/** The work that waits in a process, as its gauge `queue` says, or else in its pools. Undefined if it has neither. */
export function waitingIn({ gauges, pools }: Stats): number | undefined {
  return gauges["queue"] ?? pools?.flatMap(({ work }) => work).reduce((sum, { waiting }) => sum + waiting, 0);
}

/** Reads the work that the pool `name` of a process has shed. */
export function shedOf(name: string): (stats: Stats) => number {
  return countOf(name, "shed");
}

/** Reads the work that was submitted to the pool `name` of a process. */
export function submittedOf(name: string): (stats: Stats) => number {
  return countOf(name, "submitted");
}

function countOf(name: string, count: "shed" | "submitted"): (stats: Stats) => number {
  return ({ pools = [] }) =>
    pools.flatMap((pool) => (pool.name === name ? pool.work : [])).reduce((sum, work) => sum + work[count], 0);
}
