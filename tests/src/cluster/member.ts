import { findFreePort, startOnOddHost, type HostedProgram } from "@voxbus/testing";
import type { Release } from "./release.ts";

/** The programs, in the order in which they start. There are two of each. */
export const programs = ["gateway", "asr", "tts", "dialogue", "tools", "monitor"] as const;
export type ProgramName = (typeof programs)[number];

/** One of the two processes of a program. It keeps its place: a gateway and a monitor keep their port. */
export interface Member {
  /** The address of its port for devices or the page, `http://…`. A worker has no such port. */
  readonly address: string;
  readonly program: ProgramName;
  start(release: Release): Promise<void>;
  /**
   * Puts a process of a release in the place of the one that runs, as deploy/kubernetes does: a worker's successor comes
   * first. Rejects if the old one does not drain with exit code 0.
   */
  replace(release: Release): Promise<void>;
  /** Ends it in order. Rejects if it does not drain with exit code 0. */
  drain(): Promise<void>;
  /** Ends it at once, for good. */
  stop(): Promise<void>;
  output(): string;
}

const servers: readonly ProgramName[] = ["gateway", "monitor"];

/** Creates a member on free ports. Nothing runs yet. */
export async function createMember(
  program: ProgramName,
  number: number,
  env: Readonly<Record<string, string>>,
): Promise<Member> {
  const upper = program.toUpperCase();
  const port = servers.includes(program) ? await findFreePort() : undefined;
  const own = {
    [`VOXBUS_${upper}_OPS_PORT`]: "0",
    ...(port !== undefined && { [`VOXBUS_${upper}_PORT`]: String(port) }),
    ...(program === "gateway" && { VOXBUS_GATEWAY_ID: `gateway-${number}` }),
  };
  let running: HostedProgram | undefined;
  let before = "";
  const begin = async (release: Release): Promise<HostedProgram> => {
    const main = `${release.folder}/apps/${program}/dist/main.js`;
    const started = startOnOddHost([process.execPath, main], { channel: true, env: { ...env, ...own } });
    await started.addresses;
    return started;
  };
  const start = async (release: Release) => {
    running = await begin(release);
  };
  const drain = async (old: HostedProgram | undefined) => {
    const ended = await old?.end("SIGTERM");
    before += old?.output() ?? "";
    if (ended !== undefined && ended.code !== 0) throw new Error(`${program} drained with code ${ended.code}`);
  };
  return {
    address: `http://127.0.0.1:${port}`,
    program,
    start,
    async replace(release) {
      const old = running;
      if (port !== undefined) await drain(old);
      await start(release);
      if (port === undefined) await drain(old);
    },
    async drain() {
      const old = running;
      running = undefined;
      await drain(old);
    },
    async stop() {
      await running?.end("SIGINT");
    },
    output: () => before + (running?.output() ?? ""),
  };
}
