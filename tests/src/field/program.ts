import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createInbox } from "@voxbus/testing";
import { freePorts } from "../e2e/launcher.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A program of ours in a process of its own, without a launcher. */
export interface RunningProgram {
  readonly name: string;
  readonly pid: number;
  /** The addresses of a program that is ready, such as `ops`. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Returns everything that it printed so far. */
  output(): string;
  /** Resolves with the first printed line, past or future, that matches. Rejects if the program ends before. */
  line(pattern: RegExp): Promise<string>;
  /** Stops reading its output. */
  stall(): void;
  /** Sends a signal. Resolves with the exit code when the process has ended, undefined if a signal ended it. */
  end(signal?: NodeJS.Signals): Promise<number | undefined>;
}

/** The surroundings of a program. */
export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Its standard output: read by us, or a file descriptor. */
  readonly stdout?: "pipe" | number;
  readonly cwd?: string;
}

/** Starts a program of apps/ on free ports, and resolves when it is ready. Rejects with its output if it ends before. */
export async function startProgram(name: string, options: ProgramOptions = {}): Promise<RunningProgram> {
  const { env = {}, stdout = "pipe", cwd = root } = options;
  const child: ChildProcess = spawn(process.execPath, [`${root}apps/${name}/dist/main.js`], {
    cwd,
    env: { PATH: process.env["PATH"], ...freePorts, VOXBUS_LOG_FORMAT: "json", ...env },
    stdio: ["ignore", stdout, "pipe", "ipc"],
  });
  let output = "";
  let rest = "";
  const lines = createInbox<string>();
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const whole = (rest + text).split("\n");
      rest = whole.pop() ?? "";
      for (const line of whole) lines.put(line);
    });
  const ended = new Promise<number | undefined>((resolve) => {
    // The output of a program that no one reads does not close.
    child.once("exit", (code) => {
      lines.close(new Error(`${name} has ended: ${output.slice(-2000)}`));
      resolve(code ?? undefined);
    });
  });
  const endWithUs = () => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  void ended.then(() => process.off("exit", endWithUs));
  const failed = ended.then(() => Promise.reject(new Error(`${name} did not start: ${output.slice(-2000)}`)));
  const [{ addresses }] = (await Promise.race([once(child, "message"), failed])) as [Pick<RunningProgram, "addresses">];
  failed.catch(() => undefined);
  return {
    name,
    pid: child.pid ?? 0,
    addresses,
    output: () => output,
    line: (pattern) => lines.find((line) => pattern.test(line)),
    stall: () => void child.stdout?.pause(),
    async end(signal = "SIGINT") {
      child.kill(signal);
      return ended;
    },
  };
}
