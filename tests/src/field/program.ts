import { fileURLToPath } from "node:url";
import { startOnOddHost, type HostedProgram, type OddHost } from "@voxbus/testing";
import { freePorts } from "../e2e/launcher.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A program of ours that is ready, without a launcher. */
export interface RunningProgram extends Omit<HostedProgram, "addresses"> {
  /** Its addresses, such as `ops`. */
  readonly addresses: Awaited<HostedProgram["addresses"]>;
}

/** Starts a program of apps/ on free ports, and does not wait until it is ready. */
export function launchProgram(name: string, host: OddHost = {}): HostedProgram {
  return startOnOddHost([process.execPath, `${root}apps/${name}/dist/main.js`], {
    cwd: root,
    channel: true,
    ...host,
    env: { ...freePorts, VOXBUS_LOG_FORMAT: "json", ...host.env },
  });
}

/** Starts a program of apps/ on free ports, and resolves when it is ready. Rejects with its output if it ends before. */
export async function startProgram(name: string, host?: OddHost): Promise<RunningProgram> {
  const program = launchProgram(name, host);
  return { ...program, addresses: await program.addresses };
}
