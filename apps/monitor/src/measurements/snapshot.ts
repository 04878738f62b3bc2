import type { ConsumerLag } from "@voxbus/bus";
import type { Stats } from "@voxbus/protocol";
import type { Latencies } from "../turns/turn-view.ts";

/** Everything that is measured at one time. */
export interface Snapshot {
  /** The new reports of each process, oldest first; never an empty list. */
  readonly programs: readonly (readonly Stats[])[];
  readonly lags: readonly ConsumerLag[];
  readonly latencies: Latencies;
  /** True once the monitor has run for as long as latencies are kept. */
  readonly settled: boolean;
  readonly online: number;
}

/** The target of a process in alerts and histories: a gateway's id, otherwise program and instance. */
export function processTarget({ program, id, instance }: Stats): string {
  return id ?? `${program}-${instance}`;
}

/** The target of a pool of a process in alerts and histories. */
export function poolTarget(stats: Stats, name: string): string {
  return `${processTarget(stats)}-${toWord(name)}`;
}

/** The target of a durable consumer in alerts and histories. */
export function consumerTarget({ durable, stream }: Pick<ConsumerLag, "durable" | "stream">): string {
  return `${toWord(durable)}-${stream}`;
}

function toWord(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, "_");
}

/** Mean share of the cores that a process could use, in percent. */
export function busyPercent(reports: readonly Stats[]): number {
  const shares = reports.map(({ cpu, cores }) => (cpu / cores) * 100);
  return Math.round((shares.reduce((sum, one) => sum + one, 0) / shares.length) * 10) / 10;
}
