import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { startNatsServer } from "@voxbus/testing";
import { measureBus } from "./bus.ts";
import { measureEcho, type EchoRow } from "./echo.ts";
import { measureIdle, type IdleRow } from "./idle.ts";
import { readOptions, usage, type BenchOptions } from "./options.ts";
import { measurePacing, type PacingRow } from "./pacing.ts";
import { measurePaths, type PathRow } from "./paths.ts";
import { printBus, printEcho, printIdle, printPacing, printPaths, printRest, showProgress } from "./print.ts";
import { measureRest, type RestRow } from "./rest.ts";
import type { BusRow } from "./bus.ts";

/** All numbers of one run. */
interface Figures {
  readonly node: string;
  readonly cpus: number;
  readonly options: BenchOptions;
  readonly echo: EchoRow[];
  idle: readonly IdleRow[];
  rest: readonly RestRow[];
  bus: readonly BusRow[];
  paths: readonly PathRow[];
  pacing: readonly PacingRow[];
}

async function measure(options: BenchOptions): Promise<void> {
  const nats = await startNatsServer();
  const figures: Figures = {
    node: process.version,
    cpus: cpus().length,
    options,
    echo: [],
    idle: [],
    rest: [],
    bus: [],
    paths: [],
    pacing: [],
  };
  try {
    if (options.only.includes("a")) {
      for (const connections of options.connections) {
        const rows = await measureEcho({ ...options, nats, connections, progress: showProgress });
        figures.echo.push(...rows);
        printEcho(rows);
      }
    }
    if (options.only.includes("b")) {
      figures.idle = await measureIdle({
        ...options,
        natsUrl: nats.url,
        connections: options.idle,
        progress: showProgress,
      });
      printIdle(figures.idle);
      figures.rest = await measureRest({ progress: showProgress });
      printRest(figures.rest);
    }
    if (options.only.includes("c")) {
      figures.bus = await measureBus({ ...options, nats, progress: showProgress });
      printBus(figures.bus);
    }
    if (options.only.includes("h")) {
      figures.paths = measurePaths();
      printPaths(figures.paths);
    }
    if (options.only.includes("p")) {
      figures.pacing = await measurePacing({ ...options, nats, devices: options.speaking, progress: showProgress });
      printPacing(figures.pacing);
    }
  } finally {
    await nats.stop();
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(figures, undefined, 2)}\n`);
  }
}

try {
  if (process.platform !== "linux")
    throw new Error("the benchmark needs Linux: it reads CPU time and memory from /proc");
  const options = readOptions(process.argv.slice(2));
  if (options === "help") process.stdout.write(usage);
  else await measure(options);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
