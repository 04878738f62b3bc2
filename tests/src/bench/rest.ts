import { setTimeout as sleep } from "node:timers/promises";
import { startNatsServer } from "@voxbus/testing";
import { readPssKib, root, startChild, type Child } from "./child.ts";

/** The memory of a whole system in which no one talks, MiB per program. Shared pages are counted once. */
export interface RestRow {
  readonly engines: Engines;
  /** The flags and variables of Node: those of `npm start`, or none, as the baseline. */
  readonly flags: "none" | "npm start";
  readonly programs: Readonly<Record<string, number>>;
  readonly total: number;
}

const engineNames = ["openai", "embedded"] as const;
type Engines = (typeof engineNames)[number];

/** One program of `npm start`. */
interface Listed {
  readonly program: string;
  readonly flags: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  readonly main: string;
}

const settleMs = 6000;

/** Measures the second half of part b: the memory at rest, with both kinds of engines, with and without the flags. */
export async function measureRest({
  progress,
}: {
  readonly progress: (text: string) => void;
}): Promise<readonly RestRow[]> {
  const { listPrograms } = (await import(`${root}deploy/local/programs.mjs`)) as {
    readonly listPrograms: (options: { gateways: number; env: object }) => readonly Listed[];
  };
  const list = listPrograms({ gateways: 1, env: {} });
  const rows: RestRow[] = [];
  for (const engines of engineNames) {
    for (const flags of ["none", "npm start"] as const) {
      progress(`memory at rest, ${engines} engines, Node's flags: ${flags}`);
      rows.push(await measureSystem(list, engines, flags));
    }
  }
  return rows;
}

async function measureSystem(list: readonly Listed[], engines: Engines, flags: RestRow["flags"]): Promise<RestRow> {
  const nats = await startNatsServer();
  const running: Child[] = [];
  const url = "http://127.0.0.1:9/v1";
  const names = ["ASR", "TTS", "LLM"];
  const env = Object.fromEntries([
    ["VOXBUS_NATS_URL", nats.url],
    ["VOXBUS_LLM_MODEL", "model"],
    ...list.map(({ program }) => [`VOXBUS_${program.toUpperCase()}_OPS_PORT`, "0"]),
    ...["GATEWAY", "MONITOR"].map((name) => [`VOXBUS_${name}_PORT`, "0"]),
    ...names.map((name) => [`VOXBUS_${name}_ENGINE`, engines]),
    ...(engines === "openai" ? names.map((name) => [`VOXBUS_${name}_URL`, url]) : []),
  ]) as Record<string, string>;
  try {
    const start = ({ main, flags: own, variables }: Listed) =>
      flags === "none" ? startChild(main, { env }) : startChild(main, { env: { ...variables, ...env }, flags: own });
    for (const one of list) running.push(await start(one));
    await sleep(settleMs);
    const sizes = list.map(({ program }, at) => [program, readPssKib(running[at]?.pid ?? 0) / 1024] as const);
    const programs = Object.fromEntries([["nats", readPssKib(nats.pid) / 1024], ...sizes]);
    return { engines, flags, programs, total: Object.values(programs).reduce((sum, one) => sum + one, 0) };
  } finally {
    await Promise.all(running.map((one) => one.stop()));
    await nats.stop();
  }
}
