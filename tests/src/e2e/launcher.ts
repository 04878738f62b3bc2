import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { awaitEnd, listDescendants, type Process } from "./processes.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A whole system started as `npm start` starts it, on free ports of its own. */
export interface LaunchedSystem {
  readonly pid: number;
  /** Where devices connect, one for each gateway. */
  readonly devices: readonly string[];
  /** Where devices ask for their configuration, one for each gateway. */
  readonly ota: readonly string[];
  readonly monitor: string;
  /** Everything that it printed so far. */
  output(): string;
  /** Its processes whose command line holds `part`, such as `apps/asr/`; all of them without one. */
  processes(part?: string): readonly Process[];
  /** Resolves with the next line that matches, from those printed after the call; rejects when it ends before. */
  awaitLine(pattern: RegExp): Promise<string>;
  /** Sends the launcher a signal and resolves when it is gone: its exit code and how long it took, in ms. */
  end(signal: NodeJS.Signals): Promise<{ readonly code: number | null; readonly took: number }>;
  /** Ends it if it still runs and removes what it left in .data. */
  close(): Promise<void>;
}

/** Starts the system and resolves when it says that it is ready; rejects with its output when it ends before. */
export async function launchSystem(
  options: {
    readonly gateways?: number;
    readonly env?: Readonly<Record<string, string>>;
    /** Through `npm start`, set-up included, as a person does. */
    readonly throughNpm?: boolean;
  } = {},
): Promise<LaunchedSystem> {
  const ports = ["GATEWAY", "MONITOR", "NATS", "GATEWAY_OPS", "ASR_OPS", "TTS_OPS", "DIALOGUE_OPS", "MONITOR_OPS"];
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("VOXBUS_"));
  const [command, first] = options.throughNpm
    ? ["npm", ["start", "--"]]
    : [process.execPath, ["deploy/local/start.mjs"]];
  const child = spawn(command, [...first, "--gateways", String(options.gateways ?? 1)], {
    cwd: root,
    env: {
      ...Object.fromEntries(inherited),
      ...Object.fromEntries(ports.map((name) => [`VOXBUS_${name}_PORT`, "0"])),
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error("the launcher cannot be started");

  let output = "";
  const waiting = new Set<{ from: number; pattern: RegExp; found: (line: string) => void; over: () => void }>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const one of waiting) {
        const whole = output.slice(one.from, output.lastIndexOf("\n") + 1);
        const line = whole.split("\n").find((candidate) => one.pattern.test(candidate));
        if (line !== undefined) one.found(line);
      }
    });
  }
  const closed = once(child, "close");
  void closed.then(() => waiting.forEach((one) => one.over()));

  const awaitLine = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const one = {
        from: output.length,
        pattern,
        found: (line: string) => {
          waiting.delete(one);
          resolve(line);
        },
        over: () => reject(new Error(`the launcher ended without a line like ${pattern}:\n${output}`)),
      };
      waiting.add(one);
      if (child.exitCode !== null || child.signalCode !== null) one.over();
    });
  const end = async (signal: NodeJS.Signals) => {
    const began = performance.now();
    child.kill(signal);
    await closed;
    return { code: child.exitCode, took: performance.now() - began };
  };

  await awaitLine(/^Ctrl-C ends it/);
  const commands = listDescendants(pid).map((one) => one.command);
  const store = /\.data\/nats-\d+/.exec(commands.join("\n"))?.[0];
  const readAddresses = (name: string) =>
    [...output.matchAll(new RegExp(`^  ${name} +(\\S+)$`, "gm"))].map((found) => found[1] ?? "");
  return {
    pid,
    devices: readAddresses("device"),
    ota: readAddresses("OTA"),
    monitor: readAddresses("monitor")[0] ?? "",
    output: () => output,
    processes: (part = "") => listDescendants(pid).filter((one) => one.command.includes(part)),
    awaitLine,
    end,
    async close() {
      const pids = listDescendants(pid).map((one) => one.pid);
      if (child.exitCode === null && child.signalCode === null) await end("SIGINT");
      await awaitEnd(pids, 8_000);
      if (store) rmSync(`${root}${store}`, { recursive: true, force: true });
    },
  };
}
