import { readFileSync, readlinkSync } from "node:fs";

/** The unit of CPU time in `/proc`, ms. */
const tickMs = 10;

/** Gives the kernel's id of the thread that calls it. Undefined where there is no Linux `/proc`. */
export function readThreadId(): number | undefined {
  try {
    return Number(/\d+$/.exec(readlinkSync("/proc/thread-self"))?.[0]) || undefined;
  } catch {
    return undefined;
  }
}

/** Measures the time that a thread of this process had. */
export interface ThreadTime {
  /**
   * Gives the time since the last call that the thread had, ms. A thread that ran, or could run, has had its CPU time only: on a
   * loaded machine it waits for a core. Otherwise, and where CPU time is unknown, it has had `elapsedMs`.
   */
  take(elapsedMs: number): number;
}

/** Creates the measurement for the thread with a kernel id. */
export function createThreadTime(id: number | undefined): ThreadTime {
  let used = read(id)?.cpuMs ?? 0;
  return {
    take(elapsedMs) {
      const now = read(id);
      if (now === undefined) return elapsedMs;
      const cpuMs = now.cpuMs - used;
      used = now.cpuMs;
      return now.canRun || cpuMs > 0 ? Math.min(cpuMs, elapsedMs) : elapsedMs;
    },
  };
}

function read(id: number | undefined): { readonly cpuMs: number; readonly canRun: boolean } | undefined {
  if (id === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/self/task/${id}/stat`, "latin1");
    // The name of the thread, in brackets, may contain anything. The state follows, and later the CPU time in two parts.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * tickMs, canRun: fields[0] === "R" };
  } catch {
    return undefined;
  }
}
