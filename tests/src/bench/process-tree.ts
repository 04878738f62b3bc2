import { readdirSync, readFileSync } from "node:fs";

/** A process of a tree. */
export interface TreeProcess {
  readonly pid: number;
  readonly parent: number;
  /** CPU time of itself, and of its children that have ended. */
  readonly ticks: number;
}

/** Lists the ids of a process and of its descendants. */
export function listPids(ancestor: number): readonly number[] {
  return listTree(ancestor).map(({ pid }) => pid);
}

/** Lists a process and its descendants. */
export function listTree(ancestor: number): readonly TreeProcess[] {
  const processes = new Map<number, TreeProcess>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
      // utime, stime, and cutime and cstime of children that were waited for.
      const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
      processes.set(Number(name), { pid: Number(name), parent: Number(fields[1]), ticks });
    } catch {
      // The process ended between the listing and the reading: its parent has its time.
      continue;
    }
  }
  const isBelow = (pid: number): boolean => {
    for (let at = pid; at > 1; at = processes.get(at)?.parent ?? 0) if (at === ancestor) return true;
    return false;
  };
  return [...processes.values()].filter(({ pid }) => isBelow(pid));
}

const tickMs = 10;

/** Reads the CPU time of a process and of its descendants, those that have ended included, ms. */
export function readTreeCpuMs(ancestor: number): number {
  return listTree(ancestor).reduce((sum, { ticks }) => sum + ticks * tickMs, 0);
}
