import { setTimeout as sleep } from "node:timers/promises";
import { startNatsServer } from "@voxbus/testing";
import { addUp, startSystem, type ProgramName } from "./system.ts";

/** The memory of a whole system in which no one talks, MiB per program. Shared pages are counted once. */
export interface RestRow {
  readonly engines: Engines;
  /** The flags and variables of Node: those of `npm start`, or none, as the baseline. */
  readonly flags: "none" | "npm start";
  readonly programs: Readonly<Record<ProgramName, number>>;
  readonly total: number;
}

const engineNames = ["openai", "embedded"] as const;
type Engines = (typeof engineNames)[number];

/** Measures the second half of part b: the memory at rest, with both kinds of engines, with and without the flags. */
export async function measureRest({
  settleMs,
  progress,
}: {
  /** The time from the start until memory is read. */
  readonly settleMs: number;
  readonly progress: (text: string) => void;
}): Promise<readonly RestRow[]> {
  const rows: RestRow[] = [];
  for (const engines of engineNames) {
    for (const flags of ["none", "npm start"] as const) {
      progress(`memory at rest, ${engines} engines, Node's flags: ${flags}`);
      rows.push(await measureSystem(engines, flags, settleMs));
    }
  }
  return rows;
}

async function measureSystem(engines: Engines, flags: RestRow["flags"], settleMs: number): Promise<RestRow> {
  const nats = await startNatsServer();
  try {
    const url = engines === "openai" ? "http://127.0.0.1:9/v1" : undefined;
    const system = await startSystem({ nats, engines: url, usual: flags !== "none" });
    try {
      await sleep(settleMs);
      const kib = system.readPss();
      const programs = Object.fromEntries(
        Object.entries(kib).map(([name, size]) => [name, size / 1024]),
      ) as RestRow["programs"];
      return { engines, flags, programs, total: addUp(programs) };
    } finally {
      await system.stop();
    }
  } finally {
    await nats.stop();
  }
}
