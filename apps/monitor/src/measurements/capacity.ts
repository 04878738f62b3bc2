import type { Stats } from "@voxbus/protocol";
import type { Counters } from "./counters.ts";
import type { Capacity, CapacityLimit } from "./load-view.ts";
import { processTarget, type Snapshot } from "./snapshot.ts";

/** The share of cores that may be in use: above it latencies grow. */
const mostCores = 0.7;
/** The share of a pool that may be in use. */
const mostSlots = 0.85;
/** Turns in the last 10 measurements before which the capacity is unknown. */
export const turnsNeeded = 20;
// What a process uses while it starts is not what it uses at rest.
const startMs = 60_000;

/** The claims that a program may hold, by the gauge that names their number. */
const claimLimits: Readonly<Record<string, string>> = { asr: "maxListens", dialogue: "maxTurns" };

/** Learns what processes use at rest and in turns, and estimates the capacity from it. */
export interface CapacityMeter {
  /** Takes a snapshot whose reports are in `counters`. `talking` is the number of devices whose last turn ended lately. */
  measure(snapshot: Snapshot, counters: Counters, talking: number): Capacity;
}

type Use = Omit<CapacityLimit, "more">;

/** Creates a meter that has learned nothing. */
export function createCapacityMeter(): CapacityMeter {
  /** The least that a process, or a host, used in a measurement without turns [cores]. */
  const idle = new Map<string, number>();

  const learnIdle = (target: string, name: string, { uptime }: Stats, counters: Counters) => {
    const growth = counters.growth(target, totalOf(name), 1);
    if (growth === undefined || uptime - growth.ms < startMs) return;
    const key = `${name} ${target}`;
    idle.set(key, Math.min(idle.get(key) ?? Infinity, growth.by / growth.ms));
  };
  /** The cores in use by a process (`cpuMs`) or its host (`hostCpuMs`). */
  const readCores = (target: string, name: string, counters: Counters) => {
    const growth = counters.growth(target, totalOf(name));
    if (growth === undefined) return undefined;
    const used = growth.by / growth.ms;
    return { used, idle: Math.min(used, idle.get(`${name} ${target}`) ?? 0) };
  };

  return {
    measure({ programs }, counters, talking) {
      const processes = programs.map((reports) => reports.at(-1)!);
      const targets = new Map(processes.map((stats) => [processTarget(stats), stats]));
      if (isQuiet(processes, counters)) {
        for (const [target, stats] of targets) {
          for (const name of ["cpuMs", "hostCpuMs"]) learnIdle(target, name, stats, counters);
        }
      }
      for (const key of idle.keys()) if (!targets.has(key.slice(key.indexOf(" ") + 1))) idle.delete(key);

      const { turns, perMs } = rateTurns(processes, counters);
      const shown = { turns, turnsNeeded, talking };
      if (turns < turnsNeeded || talking === 0) return { ...shown, limits: [] };
      const cores = [...targets].map(([target, stats]) => {
        return { stats, own: readCores(target, "cpuMs", counters), host: readCores(target, "hostCpuMs", counters) };
      });
      const uses = sumUses(processes.flatMap((stats) => useOfProcess(stats, counters)).concat(useOfPrograms(cores)));
      const limits = [...uses, ...useOfHosts(cores)]
        .flatMap((use) => limitBy(use, talking))
        .sort((a, b) => a.more - b.more);
      const turnMs = cores.reduce((sum, { own }) => sum + (own ? own.used - own.idle : 0), 0) / perMs;
      return { ...shown, turnMs, limits, ...(limits[0] ? { more: limits[0].more } : {}) };
    },
  };
}

const totalOf = (name: string) => (stats: Stats) => stats.totals[name] ?? 0;

/** True if there was no turn since the last measurement. */
function isQuiet(processes: readonly Stats[], counters: Counters): boolean {
  const { turns, known } = rateTurns(processes, counters, 1);
  return known && turns === 0 && processes.every(({ gauges }) => !gauges["claims"] && !gauges["speaking"]);
}

/** The turns that ended over the last `points` points, and their number per ms. */
function rateTurns(processes: readonly Stats[], counters: Counters, points?: number) {
  const grown = processes.flatMap((stats) => {
    if (stats.program !== "gateway") return [];
    return counters.growth(processTarget(stats), totalOf("turns"), points) ?? [];
  });
  return {
    known: grown.length > 0,
    turns: grown.reduce((sum, { by }) => sum + by, 0),
    perMs: grown.reduce((sum, { by, ms }) => sum + by / ms, 0),
  };
}

/** The more devices that fit: each takes an equal part of what turns use. Nothing if turns do not use it. */
function limitBy(use: Use, talking: number): readonly CapacityLimit[] {
  const each = use.kind === "connections" ? 1 : (use.used - use.idle) / talking;
  const more = Math.floor(Math.max(0, use.most - use.used) / each);
  return Number.isSafeInteger(more) ? [{ ...use, more }] : [];
}

interface CoresInUse {
  readonly stats: Stats;
  readonly own: { readonly used: number; readonly idle: number } | undefined;
  readonly host: { readonly used: number; readonly idle: number } | undefined;
}

/** Everything that runs on a host counts, such as nats-server. */
function useOfHosts(cores: readonly CoresInUse[]): readonly Use[] {
  const hosts = new Map<string, Use>();
  for (const { stats, host } of cores) {
    const { hostCores } = stats.gauges;
    if (hostCores === undefined || host === undefined) continue;
    // The processes of a host report the same of it, at different times.
    const before = hosts.get(stats.host);
    const { used, idle } = before !== undefined && before.used > host.used ? before : host;
    hosts.set(stats.host, { kind: "host", name: stats.host, used, idle, most: hostCores * mostCores });
  }
  return [...hosts.values()];
}

function useOfPrograms(cores: readonly CoresInUse[]): readonly Use[] {
  return cores.flatMap(({ stats, own }): readonly Use[] => {
    return own ? [{ kind: "program", name: stats.program, ...own, most: stats.cores * mostCores }] : [];
  });
}

/** The pools, the claims and the connections of a process. */
function useOfProcess(stats: Stats, counters: Counters): readonly Use[] {
  const { program, gauges, pools = [] } = stats;
  const target = processTarget(stats);
  const mean = (read: (stats: Stats) => number | undefined) => counters.mean(target, read) ?? 0;
  const uses = pools.map(({ name, slots }): Use => {
    const busy = mean((report) => report.pools?.find((pool) => pool.name === name)?.busy);
    return { kind: "pool", name: `${program} ${name}`, used: slots * busy, idle: 0, most: slots * mostSlots };
  });
  const claims = gauges[claimLimits[program] ?? ""];
  if (claims !== undefined) {
    uses.push({
      kind: "claims",
      name: program,
      used: mean((report) => report.gauges["claims"]),
      idle: 0,
      most: claims,
    });
  }
  const { connections, idleConnections = 0, maxConnections } = gauges;
  if (connections !== undefined && maxConnections !== undefined) {
    uses.push({
      kind: "connections",
      name: program,
      used: connections - idleConnections,
      idle: 0,
      most: maxConnections,
    });
  }
  return uses;
}

/** Adds up the uses of one kind and name. */
function sumUses(uses: readonly Use[]): readonly Use[] {
  const sums = new Map<string, Use>();
  for (const { kind, name, used, idle, most } of uses) {
    const before = sums.get(`${kind} ${name}`) ?? { used: 0, idle: 0, most: 0 };
    const sum = { kind, name, used: before.used + used, idle: before.idle + idle, most: before.most + most };
    sums.set(`${kind} ${name}`, sum);
  }
  return [...sums.values()];
}
