import { readdirSync } from "node:fs";
import type { LaunchedSystem } from "../e2e/launcher.ts";
import { readCpuMs, readRssKib } from "../bench/child.ts";
import { takeMedian } from "../bench/numbers.ts";
import { readStats } from "./stats.ts";

/** The resources of one process in a stretch of a run. */
export interface Vitals {
  readonly program: string;
  readonly pid: number;
  /** Resident memory at the end of the stretch, and at most, MB. */
  readonly rss: number;
  readonly peakRss: number;
  /** Open descriptors at the end of the stretch, and at most. */
  readonly handles: number;
  readonly peakHandles: number;
  /** The average share of one core. */
  readonly cpu: number;
}

/** One stretch of a run. */
export interface Stretch {
  readonly vitals: readonly Vitals[];
  /** The most bytes that the gateway buffered for all devices. */
  readonly buffered: number;
  /** Processes that died, and logged errors. */
  readonly problems: readonly string[];
}

/** A watch over the processes of a system. */
export interface Watch {
  /** Ends a stretch, and begins the next one. */
  lap(): Stretch;
  end(): void;
}

const everyMs = 500;
const kept = 9;

interface Samples {
  cpuFrom: number;
  cpu: number;
  rss: number[];
  handles: number[];
}

/** Samples memory, descriptors and CPU twice a second. */
export function startWatch(
  system: LaunchedSystem,
  others: readonly { readonly program: string; readonly pid: number }[],
): Watch {
  const programs = system.processes("apps/").map(({ pid, command }) => ({
    program: /apps\/(\w+)/.exec(command)?.[1] ?? command,
    pid,
  }));
  const watched = [...programs, ...others];
  const port = Number(new URL(system.devices[0] ?? "").port);
  let from = system.output().length;
  let samples = new Map<number, Samples>();
  let since = performance.now();
  let buffered = 0;
  let asking = false;
  const sample = () => {
    for (const { pid } of watched) sampleProcess(samples, pid);
    if (asking) return;
    asking = true;
    // A gateway that does not answer now shows in the bystander's latency.
    const ask = readStats(port).then((stats) => (buffered = Math.max(buffered, stats.buffered)));
    void ask.catch(() => undefined).finally(() => (asking = false));
  };
  sample();
  const timer = setInterval(sample, everyMs);
  return {
    lap() {
      sample();
      const ms = Math.max(1, performance.now() - since);
      const vitals = watched.flatMap(({ program, pid }) => {
        const one = samples.get(pid);
        return one === undefined ? [] : [{ program, pid, ...describe(one, ms) }];
      });
      const alive = new Set(system.processes("apps/").map(({ pid }) => pid));
      const died = programs.filter(({ pid }) => !alive.has(pid)).map(({ program }) => `${program} did not survive`);
      const output = system.output();
      const stretch = { vitals, buffered, problems: [...died, ...readProblems(output.slice(from))] };
      from = output.length;
      samples = new Map();
      since = performance.now();
      buffered = 0;
      sample();
      return stretch;
    },
    end: () => clearInterval(timer),
  };
}

function sampleProcess(samples: Map<number, Samples>, pid: number): void {
  try {
    const cpu = readCpuMs(pid);
    const one = samples.get(pid) ?? { cpuFrom: cpu, cpu, rss: [], handles: [] };
    samples.set(pid, one);
    one.cpu = cpu;
    one.rss.push(readRssKib(pid) / 1024);
    one.handles.push(readdirSync(`/proc/${pid}/fd`).length);
  } catch (error) {
    // A process that has ended shows at the end of the watch.
    if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function describe({ cpuFrom, cpu, rss, handles }: Samples, ms: number): Omit<Vitals, "program" | "pid"> {
  const end = (values: readonly number[]) => Math.round(takeMedian(values.slice(-kept)));
  const most = (values: readonly number[]) => Math.round(Math.max(...values));
  return {
    rss: end(rss),
    peakRss: most(rss),
    handles: end(handles),
    peakHandles: most(handles),
    cpu: (cpu - cpuFrom) / ms,
  };
}

// Unexpected errors are logged as error (50) or fatal (60); refusals are counted, not logged.
function readProblems(output: string): readonly string[] {
  const seen = new Map<string, number>();
  for (const line of output.split("\n")) {
    const [program = "", json = ""] = line.split(" | ");
    if (!/"level":(?:50|60)\b/.test(json)) continue;
    const { msg, err, subject } = JSON.parse(json) as {
      msg: string;
      err?: { message?: string; stack?: string };
      subject?: string;
    };
    const where =
      err?.stack
        ?.split("\n")
        .find((frame) => frame.includes("/dist/"))
        ?.trim() ?? "";
    const about = subject?.replaceAll(/\.(?:fuzz|device)[^.]*\./g, ".*.") ?? "";
    const key = `${program.trim()} logged: ${msg} ${about}: ${err?.message?.slice(0, 200) ?? ""} ${where}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  return [...seen].map(([what, times]) => `${what} (${times} times)`);
}
