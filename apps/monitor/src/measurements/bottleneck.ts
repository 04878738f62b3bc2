import type { ConsumerLag } from "@voxbus/bus";
import type { Stats } from "@voxbus/protocol";
import type { Bottleneck, Load } from "./load-view.ts";
import { sumPools } from "./pools.ts";
import { consumerTarget, processTarget } from "./snapshot.ts";

/** Below this share nothing holds the system up. */
export const limitingShare = 0.6;

/** The values at which a loop delay [ms] and a queue are too much. */
export interface LoadThresholds {
  readonly loopDelay: number;
  readonly queue: number;
}

/** Lists how much is used of each pool, of each process's cores and event loop, and of each consumer's queue. */
export function listLoads(
  processes: readonly Stats[],
  lags: readonly ConsumerLag[],
  { loopDelay, queue }: LoadThresholds,
): readonly Load[] {
  return [
    ...sumPools(processes).map(({ program, name, busy }): Load => ({
      kind: "pool",
      program,
      id: "",
      name,
      share: busy,
    })),
    ...processes.flatMap((stats): readonly Load[] => {
      const about = { program: stats.program, id: processTarget(stats), name: "" };
      return [
        { ...about, kind: "cpu", share: stats.cpu / stats.cores },
        { ...about, kind: "loop", share: stats.loopDelay / loopDelay },
      ];
    }),
    ...lags.map((lag): Load => {
      return { kind: "queue", program: lag.stream, id: consumerTarget(lag), name: "", share: lag.pending / queue };
    }),
  ];
}

/** Finds the load with the highest share; the first of several. Undefined without any. */
export function findBottleneck(loads: readonly Load[]): Bottleneck | undefined {
  const [first, ...others] = loads;
  if (first === undefined) return undefined;
  const highest = others.reduce((most, one) => (one.share > most.share ? one : most), first);
  return { ...highest, limiting: highest.share >= limitingShare };
}

/** Puts a bottleneck into a sentence. */
export function sayBottleneck({ kind, program, id, name, share, limiting }: Bottleneck): string {
  const percent = `${Math.round(share * 100)} %`;
  const busiest = {
    pool: `${program}: ${name} is at ${percent}`,
    cpu: `${id}: its cores are at ${percent}`,
    loop: `${id}: the delay of its event loop is at ${percent} of its threshold`,
    queue: `${id}: the waiting messages are at ${percent} of their threshold`,
  }[kind];
  return limiting ? `${busiest}.` : `There is no bottleneck. The busiest part: ${busiest}.`;
}
