import { execFileSync } from "node:child_process";
import type { LaunchedSystem } from "../e2e/launcher.ts";
import { takeMedian } from "../bench/numbers.ts";

/** The memory of one process. */
export interface Vitals {
  readonly program: string;
  readonly pid: number;
  /** At the end of the warm-up and at the end, MB. */
  readonly before: number;
  readonly after: number;
}

/** A watch over the processes of a system. */
export interface Watch {
  /** Ends the warm-up. */
  warm(): void;
  end(): { readonly vitals: readonly Vitals[]; readonly problems: readonly string[] };
}

const everyMs = 1000;
const kept = 5;

/** Samples memory every second. At the end it lists dead processes, memory and logged errors. */
export function startWatch(
  system: LaunchedSystem,
  others: readonly { readonly program: string; readonly pid: number }[],
): Watch {
  const programs = system.processes("apps/").map(({ pid, command }) => ({
    program: /apps\/(\w+)/.exec(command)?.[1] ?? command,
    pid,
  }));
  const watched = [...programs, ...others];
  const from = system.output().length;
  let samples = new Map<number, number[]>();
  let warm = new Map<number, number[]>();
  const sample = () => {
    let text = "";
    try {
      const list = watched.map(({ pid }) => pid).join(",");
      text = execFileSync("ps", ["-o", "pid=,rss=", "-p", list], { encoding: "utf8" });
    } catch {
      return; // all processes are gone, which shows at the end
    }
    for (const line of text.trim().split("\n")) {
      const [pid = 0, rss = 0] = line.trim().split(/\s+/).map(Number);
      samples.set(pid, [...(samples.get(pid) ?? []), rss / 1024].slice(-kept));
    }
  };
  sample();
  const timer = setInterval(sample, everyMs);
  const middle = (of: Map<number, number[]>, pid: number) => Math.round(takeMedian(of.get(pid) ?? []));
  return {
    warm() {
      sample();
      warm = samples;
      samples = new Map();
    },
    end() {
      sample();
      clearInterval(timer);
      const now = new Set(system.processes("apps/").map(({ pid }) => pid));
      const died = programs.filter(({ pid }) => !now.has(pid)).map(({ program }) => `${program} did not survive`);
      const vitals = watched.map(({ program, pid }) => ({
        program,
        pid,
        before: middle(warm, pid),
        after: middle(samples, pid),
      }));
      return { vitals, problems: [...died, ...readProblems(system.output().slice(from))] };
    },
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
