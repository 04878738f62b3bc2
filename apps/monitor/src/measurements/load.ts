import type { Turns } from "../turns/turns.ts";
import { findBottleneck, listLoads } from "./bottleneck.ts";
import type { Bottleneck, Capacity, ProgramPool, Score } from "./load-view.ts";
import type { Measurements } from "./measurements.ts";
import { sumPools } from "./pools.ts";
import { scoreTurns } from "./score.ts";

/** How busy the system is, and how well it serves turns. */
export interface SystemLoad {
  readonly pools: readonly ProgramPool[];
  readonly bottleneck?: Bottleneck;
  readonly score?: Score;
  readonly capacity: Capacity;
}

/** Reads the present load from memory. `thresholds` are those of the alert rules, by name. */
export function readLoad(parts: {
  readonly measurements: Measurements;
  readonly turns: Pick<Turns, "counts" | "latencies">;
  readonly thresholds: Readonly<Record<string, number>>;
}): SystemLoad {
  const { measurements, turns, thresholds } = parts;
  const now = Date.now();
  const processes = measurements.programs.list().flatMap(({ stats, lost }) => (lost ? [] : [stats]));
  const limits = { loopDelay: thresholds["loop-delay"]!, queue: thresholds["queue"]! };
  const bottleneck = findBottleneck(listLoads(processes, measurements.lags(), limits));
  const score = scoreTurns(turns.counts(now), turns.latencies(now).sound, thresholds["first-sound-p95"]!);
  return {
    pools: sumPools(processes),
    ...(bottleneck ? { bottleneck } : {}),
    ...(score ? { score } : {}),
    capacity: measurements.capacity(),
  };
}
