import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { root } from "./child.ts";
import { listTree } from "./process-tree.ts";

/** How busy the machine was in a span of time, in cores. */
export interface Busy {
  readonly seconds: number;
  /** This process and all its descendants. */
  readonly ours: number;
  /** Everything else, with the time that a hypervisor took away. The kernel's work on interrupts is in neither. */
  readonly others: number;
}

const ticksPerSecond = 100;

/** Begins to watch the load of the machine. The returned function gives the load since. */
export function watchMachine(): () => Busy {
  const began = performance.now();
  const total = readBusyTicks();
  const own = readOwnTicks();
  return () => {
    const seconds = Math.max(0.001, (performance.now() - began) / 1000);
    const cores = (ticks: number) => Math.max(0, ticks) / ticksPerSecond / seconds;
    const ours = readOwnTicks() - own;
    return { seconds, ours: cores(ours), others: cores(readBusyTicks() - total - ours) };
  };
}

/** Reads the time that the machine worked for programs, user, nice, system and steal, in ticks. */
function readBusyTicks(): number {
  const [, user, nice, system, , , , , steal] = readFileSync("/proc/stat", "utf8").split(/\s+/, 9).map(Number);
  return (user ?? 0) + (nice ?? 0) + (system ?? 0) + (steal ?? 0);
}

/** Reads the CPU time of this process and its descendants, those that have ended included, in ticks. */
function readOwnTicks(): number {
  return listTree(process.pid).reduce((sum, { ticks }) => sum + ticks, 0);
}

/** The conditions of a run that its figures depend on. */
export interface Conditions {
  readonly commit: string;
  readonly node: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly nats: string;
}

/** Describes the machine and the code. The commit is marked if files were changed since. */
export function describeConditions(): Conditions {
  return {
    commit: describeCommit(),
    node: process.version,
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? "",
    memoryGib: Math.round(totalmem() / 2 ** 30),
    nats: /v\d\S*/.exec(runQuietly(process.env["VOXBUS_NATS_SERVER"] ?? "nats-server", "--version"))?.[0] ?? "unknown",
  };
}

function describeCommit(): string {
  const commit = runQuietly("git", "rev-parse", "--short=10", "HEAD");
  if (commit === "") return "unknown";
  const isChanged = runQuietly("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs") !== "";
  return isChanged ? `${commit}, with changes` : commit;
}

/** Throws an error if this process and its children may not open this many files. Node raises the soft limit itself. */
export function checkOpenFiles(needed: number, advice: string): void {
  const limit = /^Max open files +\S+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  if (limit !== undefined && Number(limit) < needed)
    throw new Error(`a process may open ${limit} files, and ${needed} are needed: raise ulimit -Hn, or ${advice}`);
}

/** Runs a command in the root of the checkout and gives its output, empty if it fails. */
function runQuietly(command: string, ...args: readonly string[]): string {
  try {
    return execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
}
