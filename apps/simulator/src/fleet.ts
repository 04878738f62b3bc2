import { monitorEventLoopDelay } from "node:perf_hooks";
import { fleetHelp, readFleetPlan } from "./fleet-options.ts";
import { formatReport } from "./fleet-stats.ts";
import { loadFleetLines, runFleet, type FleetProgress } from "./run-fleet.ts";

const samples = new URL("../../../samples/", import.meta.url);
const quietProgressMs = 10_000;

const stop = new AbortController();
// After the first signal running turns end, then the report is printed. A second one ends the process at once.
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

try {
  process.exitCode = await measureFleet(process.argv.slice(2), stop.signal);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function measureFleet(args: readonly string[], signal: AbortSignal): Promise<number> {
  const plan = readFleetPlan(args);
  if (plan === undefined) {
    console.log(fleetHelp);
    return 0;
  }
  const lines = await loadFleetLines(samples);
  console.log(
    `${plan.devices.count} devices on ${plan.devices.urls.join(", ")}: ${plan.rate} turns/s for ${plan.minutes} minutes, ` +
      `${Math.round(plan.spoken * 100)} % spoken`,
  );
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const stats = await runFleet(plan, lines, createProgressLine(), signal);
  delay.disable();
  if (process.stdout.isTTY) process.stdout.write("\n");
  const loopDelay = { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 };
  console.log(formatReport(stats, loopDelay));
  const { started, lost } = stats.counts;
  const disordered = [...stats.failures.keys()].some((kind) => kind.startsWith("order:"));
  return started === 0 || lost > 0 || disordered ? 1 : 0;
}

function createProgressLine(): (progress: FleetProgress) => void {
  let nextAt = quietProgressMs;
  return ({ stats: { counts }, connected, running, ms }) => {
    const text =
      `${Math.round(ms / 1000)} s: ${connected} connected, ${running} talking, ` +
      `${counts.answered} answered, ${counts.lost} lost, ${counts.framesReceived} frames`;
    if (process.stdout.isTTY) process.stdout.write(`\r${text.padEnd(100)}`);
    else if (ms >= nextAt) {
      nextAt += quietProgressMs;
      console.log(text);
    }
  };
}
