import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultPorts } from "@voxbus/protocol";
import { startOnOddHost, type OddHost } from "@voxbus/testing";
import { awaitEnd, listDescendants, type Process } from "./processes.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A whole system, started as `npm start` does it, on free ports. */
export interface LaunchedSystem {
  readonly pid: number;
  /** The URLs for devices, one for each gateway. */
  readonly devices: readonly string[];
  /** The OTA URLs, one for each gateway. */
  readonly ota: readonly string[];
  readonly monitor: string;
  /** Returns everything printed so far. */
  output(): string;
  /** Lists its processes, or only those whose command line contains `part`, such as `apps/asr/`. */
  processes(part?: string): readonly Process[];
  /** Resolves with the next printed line that matches. Rejects if the system ends before. */
  awaitLine(pattern: RegExp): Promise<string>;
  /** Closes the reading ends of its output. */
  deafen(): void;
  /** Sends the launcher a signal and waits for its end. Resolves with the exit code and the time it took, in ms. */
  end(signal: NodeJS.Signals): Promise<{ readonly code: number | null; readonly took: number }>;
  /** Ends the system if it runs, and removes its data from .data. */
  close(): Promise<void>;
}

/** Starts the system and resolves when it is ready. Rejects with its output if it ends before. */
export async function launchSystem(
  options: {
    readonly gateways?: number;
    readonly env?: Readonly<Record<string, string>>;
    /** Starts it with `npm start`, set-up included, as a user does. */
    readonly throughNpm?: boolean;
    /** The machine, if it is not like ours. */
    readonly host?: Pick<OddHost, "unprivileged" | "nohup">;
  } = {},
): Promise<LaunchedSystem> {
  const { gateways = 1, env = {}, throughNpm = false, host = {} } = options;
  const [command, first] = throughNpm ? ["npm", ["start", "--"]] : [process.execPath, ["deploy/local/start.mjs"]];
  const { child, pid, output, awaitLine, deafen, end } = startOnOddHost(
    [command, ...first, "--gateways", String(gateways)],
    {
      ...host,
      cwd: root,
      // Tests poll the API.
      env: { ...freePorts, VOXBUS_MONITOR_CALLS_PER_MINUTE: "0", ...env },
    },
  );

  await awaitLine(/^Press Ctrl-C to stop/);
  const commands = listDescendants(pid).map((one) => one.command);
  const store = /\.data\/nats-\d+/.exec(commands.join("\n"))?.[0];
  const readAddresses = (name: string) =>
    [...output().matchAll(new RegExp(`^  ${name} +(\\S+)$`, "gm"))].map((found) => found[1] ?? "");
  return {
    pid,
    devices: readAddresses("device"),
    ota: readAddresses("OTA"),
    monitor: readAddresses("monitor")[0] ?? "",
    output,
    processes: (part = "") => listDescendants(pid).filter((one) => one.command.includes(part)),
    awaitLine,
    deafen,
    end,
    async close() {
      const pids = listDescendants(pid).map((one) => one.pid);
      if (isRunning(child)) await end("SIGINT");
      await awaitEnd(pids, 8_000);
      if (store) rmSync(`${root}${store}`, { recursive: true, force: true });
    },
  };
}

/** Variables that give every program free ports. */
export const freePorts: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(defaultPorts)
    .flatMap(([name, ports]) =>
      typeof ports === "number" ? [name] : Object.keys(ports).map((port) => nameOf(name, port)),
    )
    .map((name) => [`VOXBUS_${name.toUpperCase()}_PORT`, "0"]),
);

function nameOf(program: string, port: string): string {
  return port === "ops" ? `${program}_ops` : program;
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
