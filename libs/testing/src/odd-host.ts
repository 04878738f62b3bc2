import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";

/**
 * How standard output behaves: it is read, a pipe that is not read, a pipe whose reader is gone, closed, or a full disk.
 * A number is an open file.
 */
export type HostOutput = "read" | "stalled" | "gone" | "closed" | "full" | number;

/** A machine that is not like ours. */
export interface OddHost {
  readonly stdout?: HostOutput;
  /** Variables besides those of this process. Its `VOXBUS_*` are left out. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Runs the program under nohup, which ignores SIGHUP for it. */
  readonly nohup?: boolean;
  /** Runs the program as a user without any rights of its own. Only root can. */
  readonly unprivileged?: boolean;
  /** Gives the program a channel to tell its addresses, as the launcher does. */
  readonly channel?: boolean;
}

/** A program that runs on an odd host. */
export interface HostedProgram {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything printed so far, on standard output and standard error. */
  output(): string;
  /** Resolves with the next printed line that matches. Rejects if the program ends before. */
  awaitLine(pattern: RegExp): Promise<string>;
  /** Resolves with the program's addresses, by name. It needs `channel`. Rejects if the program ends before. */
  readonly addresses: Promise<Readonly<Record<string, string>>>;
  /** Reads a stalled output from now on. */
  read(): void;
  /** Closes the reading ends of its output. */
  deafen(): void;
  /** Resolves with the exit code when the program and its output have ended. */
  readonly ended: Promise<number | null>;
  /** Sends a signal and waits for the end. Resolves with the exit code and the time it took, in ms. */
  end(signal: NodeJS.Signals): Promise<{ readonly code: number | null; readonly took: number }>;
}

/** Variables that other applications leave in a shell, and that libraries of voxbus know. */
export const foreignVariables: Readonly<Record<string, string>> = {
  OPENAI_BASE_URL: "http://127.0.0.1:9/foreign",
  OPENAI_API_KEY: "foreign-key",
  OPENAI_ORG_ID: "foreign-organization",
  OPENAI_PROJECT_ID: "foreign-project",
  OPENAI_ADMIN_KEY: "foreign-admin-key",
  OPENAI_CUSTOM_HEADERS: "X-Foreign: foreign-header",
  OPENAI_LOG: "debug",
  OTEL_METRICS_EXPORTER: "prometheus",
  OTEL_LOGS_EXPORTER: "console",
  OTEL_PROPAGATORS: "b3",
  OTEL_LOG_LEVEL: "debug",
  NODE_ENV: "production",
  FORCE_COLOR: "1",
  DEBUG: "*",
  LC_ALL: "C",
  TZ: "Pacific/Chatham",
};

/** Starts a program on an odd host. The caller ends it; at the latest it is killed with this process. */
export function startOnOddHost(command: readonly string[], host: OddHost = {}): HostedProgram {
  const { stdout = "read", env = {}, cwd, nohup = false, unprivileged = false, channel = false } = host;
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("VOXBUS_"));
  const [file = "", ...args] = [
    ...(stdout === "closed" ? ["sh", "-c", 'exec "$0" "$@" >&-'] : []),
    ...(nohup ? ["nohup"] : []),
    ...command,
  ];
  const child = spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(unprivileged ? { uid: 65_534, gid: 65_534 } : {}),
    env: { ...Object.fromEntries(own), ...env },
    stdio: ["ignore", openOutput(stdout), "pipe", ...(channel ? (["ipc"] as const) : [])],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} cannot be started`);
  const ended = once(child, "close").then(([code]) => code as number | null);
  // A stalled output has no end until it is read.
  child.once("exit", () => child.stdout?.resume());
  const killWithUs = () => void child.kill("SIGKILL");
  process.once("exit", killWithUs);
  void ended.then(() => process.off("exit", killWithUs));
  const { read, output, awaitLine } = watchOutput(child, ended);
  if (stdout !== "stalled") read();
  if (stdout === "gone") child.stdout?.destroy();
  const addresses = Promise.race([
    once(child, "message").then(([message]) => (message as { addresses: Record<string, string> }).addresses),
    ended.then(() => Promise.reject(new Error(`the program ended before it was ready:\n${output()}`))),
  ]);
  addresses.catch(() => undefined);
  return {
    child,
    pid,
    output,
    awaitLine,
    addresses,
    read,
    deafen() {
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
    ended,
    async end(signal) {
      const began = performance.now();
      child.kill(signal);
      return { code: await ended, took: performance.now() - began };
    },
  };
}

function openOutput(stdout: HostOutput): "pipe" | number {
  if (stdout === "full") return openSync("/dev/full", "w");
  return typeof stdout === "number" ? stdout : "pipe";
}

/** Collects what a process prints. Its standard output is read once `read` was called. */
function watchOutput(
  child: ChildProcess,
  ended: Promise<unknown>,
): Pick<HostedProgram, "read" | "output" | "awaitLine"> {
  let output = "";
  const waiting = new Set<{ from: number; pattern: RegExp; found: (line: string) => void; over: () => void }>();
  const take = (text: string) => {
    output += text;
    for (const one of waiting) {
      const whole = output.slice(one.from, output.lastIndexOf("\n") + 1);
      const line = whole.split("\n").find((candidate) => one.pattern.test(candidate));
      if (line !== undefined) one.found(line);
    }
  };
  child.stderr?.setEncoding("utf8").on("data", take);
  let over = false;
  void ended.then(() => {
    over = true;
    for (const one of waiting) one.over();
  });
  return {
    read: () => void child.stdout?.setEncoding("utf8").on("data", take),
    output: () => output,
    awaitLine: (pattern) =>
      new Promise<string>((resolve, reject) => {
        const one = {
          from: output.length,
          pattern,
          found: (line: string) => {
            waiting.delete(one);
            resolve(line);
          },
          over: () => reject(new Error(`the program ended without a line like ${pattern}:\n${output}`)),
        };
        waiting.add(one);
        if (over) one.over();
      }),
  };
}
