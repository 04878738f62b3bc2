import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { startNatsServer } from "@voxbus/testing";
import { measureBus } from "./bus.ts";
import { measureEcho, type EchoRow } from "./echo.ts";
import { measureIdle, type IdleRow } from "./idle.ts";
import { readOptions, usage, type BenchOptions } from "./options.ts";
import { printBus, printEcho, printIdle, showProgress } from "./print.ts";
import type { BusRow } from "./bus.ts";

/** All numbers of one run. */
interface Figures {
  readonly node: string;
  readonly cpus: number;
  readonly options: BenchOptions;
  readonly echo: EchoRow[];
  readonly idle: readonly IdleRow[];
  readonly bus: readonly BusRow[];
}

async function measure(options: BenchOptions): Promise<void> {
  const nats = await startNatsServer();
  const figures: Figures & { idle: readonly IdleRow[]; bus: readonly BusRow[] } = {
    node: process.version,
    cpus: cpus().length,
    options,
    echo: [],
    idle: [],
    bus: [],
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
    }
    if (options.only.includes("c")) {
      figures.bus = await measureBus({ ...options, nats, progress: showProgress });
      printBus(figures.bus);
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
