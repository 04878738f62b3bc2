import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { listPids } from "./process-tree.ts";

/** The root of the checkout. */
export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A program in its own process. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** The addresses that it reported when it was ready. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Sends a request and waits for the answer. Only for children that call `answerParent`. */
  ask<T>(what: string, details?: object): Promise<T>;
  /** Sends the process a signal. */
  kill(signal: NodeJS.Signals): void;
  /** Asks the process to end in order, and kills it if it has not done so in time, ms. */
  end(withinMs: number): Promise<void>;
  stop(): Promise<void>;
}

interface Ready {
  readonly type: "ready";
  readonly addresses?: Readonly<Record<string, string>>;
}
interface Answer {
  readonly type: "answer";
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/**
 * Starts a program: a file of this folder by its name, or any other by its path from the root. Resolves when it is ready.
 * Throws if it ends before. It ends with this process.
 */
export async function startChild(
  name: string,
  options: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly flags?: readonly string[];
    /** Lets all other processes go first. */
    readonly isYielding?: boolean;
  } = {},
): Promise<Child> {
  const file = name.includes("/") ? `${root}${name}` : `${root}tests/dist/bench/${name}.js`;
  const shell = Object.entries(process.env).filter(([variable]) => !variable.startsWith("VOXBUS_"));
  const child: ChildProcess = fork(file, [...(options.args ?? [])], {
    env: { ...Object.fromEntries(shell), ...options.env },
    execArgv: [...(options.flags ?? [])],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  if (options.isYielding && child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  running.add(child);
  child.once("exit", () => running.delete(child));
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let asked = 0;
  let addresses: Readonly<Record<string, string>> = {};
  await new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      const error = new Error(`${name} ended (${signal ?? code})`);
      for (const one of waiting.values()) one.reject(error);
      reject(error);
    });
    child.on("message", (message: Ready | Answer) => {
      if (message.type === "ready") {
        addresses = message.addresses ?? {};
        resolve();
      } else {
        const one = waiting.get(message.id);
        waiting.delete(message.id);
        if (message.error === undefined) one?.resolve(message.value);
        else one?.reject(new Error(`${name}: ${message.error}`));
      }
    });
  });
  return {
    name,
    pid: child.pid ?? 0,
    addresses,
    ask: <T>(what: string, details: object = {}) =>
      new Promise<T>((resolve, reject) => {
        if (!child.connected) return reject(new Error(`${name} has ended`));
        asked += 1;
        waiting.set(asked, { resolve, reject });
        child.send({ id: asked, what, details });
      }),
    kill: (signal) => void child.kill(signal),
    async end(withinMs) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), withinMs);
      await ended;
      clearTimeout(timer);
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      // The processes of a gateway's port would only notice that their parent is gone.
      for (const pid of listPids(child.pid ?? 0)) killQuietly(pid);
      await ended;
    },
  };
}

/** For a child: reports that it is ready, answers the parent's requests, and ends with the parent. */
export function answerParent(
  handlers: Readonly<Record<string, (details: never) => unknown>>,
  addresses: Readonly<Record<string, string>> = {},
): void {
  const answer = async ({ id, what, details }: { id: number; what: string; details: object }) => {
    try {
      const value = await handlers[what]?.(details as never);
      process.send?.({ type: "answer", id, value });
    } catch (error) {
      process.send?.({ type: "answer", id, error: error instanceof Error ? error.message : String(error) });
    }
  };
  process.on("message", (message) => void answer(message as Parameters<typeof answer>[0]));
  process.on("disconnect", () => process.exit());
  process.send?.({ type: "ready", addresses });
}

/** Kills a process. One that has just ended is no error. */
function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

const running = new Set<ChildProcess>();

/** Kills every child that still runs. A request that waits for an answer fails. */
export function killChildren(): void {
  for (const { pid = 0 } of running) for (const one of listPids(pid)) killQuietly(one);
}

const tickMs = 10;

/** Reads the CPU time of a process, user and system, ms. Linux counts it in steps of 10 ms. */
export function readCpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** Reads the memory of a process, KiB. Pages that several processes share are divided among them. */
export function readPssKib(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
}

/** Reads the memory of a process and of its descendants, as `readPssKib` does. Those that end meanwhile count as nothing. */
export function readTreePssKib(ancestor: number): number {
  return listPids(ancestor).reduce((sum, pid) => {
    try {
      return sum + readPssKib(pid);
    } catch (error) {
      // A process whose memory is gone is a zombie: the file is there and cannot be read.
      if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      return sum;
    }
  }, 0);
}

/** Reads the resident memory of a process, KiB: now, or the most that it ever had. */
export function readRssKib(pid: number, which: "VmRSS" | "VmHWM" = "VmRSS"): number {
  return Number(new RegExp(`^${which}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
