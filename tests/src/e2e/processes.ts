import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** A process of the operating system. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Lists the running processes, without zombies. */
function listProcesses(): readonly Process[] {
  const text = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" });
  return text.split("\n").flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (!found || found[3]?.startsWith("Z")) return [];
    return [{ pid: Number(found[1]), parent: Number(found[2]), command: found[4] ?? "" }];
  });
}

/** Lists the descendants of a process. */
export function listDescendants(ancestor: number): readonly Process[] {
  const all = listProcesses();
  const below = (parent: number): readonly Process[] =>
    all.filter((one) => one.parent === parent).flatMap((one) => [one, ...below(one.pid)]);
  return below(ancestor);
}

/** Waits until no process of `pids` runs, at most `bound` ms. Resolves with the pids that still run. */
export async function awaitEnd(pids: readonly number[], bound: number): Promise<readonly number[]> {
  const end = Date.now() + bound;
  for (;;) {
    const running = new Set(listProcesses().map((one) => one.pid));
    const left = pids.filter((pid) => running.has(pid));
    if (left.length === 0 || Date.now() > end) return left;
    await sleep(50);
  }
}
