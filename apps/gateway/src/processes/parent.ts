import { runParent, startAtZero, type ParentContext, type Program } from "@voxbus/subscriber";
import type { gatewayConfig } from "../config.ts";
import { startGatewayProcess, type GatewayProcess } from "./gateway-process.ts";
import { createHangWatch } from "./hang-watch.ts";
import { answerForAll } from "./parent-ops.ts";

const watchMs = 10_000;

type Config = typeof gatewayConfig;

/**
 * Runs VOXBUS_GATEWAY_WORKERS gateways behind one port, each in a process of its own, with this process as their parent.
 * It accepts connections and hands each to the next process that is free, so no frame passes through it.
 */
export async function runProcesses(gateway: Program<Config>): Promise<void> {
  await runParent(gateway, buildParent);
}

/** Starts the gateway processes, and gives the addresses that devices use. Throws ConfigError if one could not start. */
async function buildParent(context: ParentContext<Config>): Promise<Readonly<Record<string, string>>> {
  const { config, log, meter, defer, drain, fail } = context;
  const numbers = Array.from({ length: config.VOXBUS_GATEWAY_WORKERS }, (_one, index) => index + 1);
  const description = "Gateway processes restarted";
  const restarts = startAtZero(meter.createCounter("voxbus_gateway_worker_restarts", { description }), {
    restarted: numbers.map(String),
  });
  const processes: GatewayProcess[] = [];
  // The operations port of each is the parent's to ask. It answers for all on its own.
  const variables = { VOXBUS_OPS_HOST: "127.0.0.1", VOXBUS_GATEWAY_OPS_PORT: "0" };
  const startOne = async (number: number) => {
    const started = startGatewayProcess(number, {
      environment: () => variables,
      log,
      restarting: () => restarts.add(1, { restarted: String(number) }),
      failed: fail,
    });
    processes.push(started);
    return started.ready;
  };
  drain(async (mode) => void (await Promise.all(processes.map((one) => one.stop(mode)))));
  answerForAll(context, processes);

  // The first one starts alone, so that a problem of its start is told once.
  const { ops: _, ...addresses } = await startOne(1);
  await Promise.all(numbers.slice(1).map(startOne));
  const look = createHangWatch(processes, log);
  const watching = setInterval(() => void look(), watchMs);
  defer(() => clearInterval(watching));
  return addresses;
}
