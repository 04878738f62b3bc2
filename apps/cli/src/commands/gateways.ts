import { setTimeout as sleep } from "node:timers/promises";
import { watchGateways, type GatewayView } from "@voxbus/presence";
import { channels, type GatewayLease } from "@voxbus/protocol";
import { jsonOption, readNumber } from "../arguments.ts";
import { command, CommandError, exitCodes, UsageError, type Shell } from "../command.ts";
import { toJson } from "../json.ts";
import { readName } from "../subjects.ts";
import { formatTable } from "../table.ts";

const tellMs = 1000;
const lookMs = 100;

/** Lists the gateways, and lets one finish. */
export const gateways = command({
  name: "gateways",
  summary: "Lists the gateways, or drains one",
  parameters: ["list|drain", "[ID]"],
  choices: ["list", "drain"],
  options: {
    "no-wait": { meaning: "do not wait until the gateway has stopped" },
    timeout: { value: "S", fallback: "60", meaning: "the longest wait, in seconds" },
    ...jsonOption,
  },
  details: `
drain lets what is said finish, sends the devices to other gateways, and stops the process, as SIGTERM does. Every second it
shows how many connections are left, and how many of them are being spoken to. A supervisor starts the gateway again.

  voxbus gateways list
  voxbus gateways drain hall-8000`,
  async run({ parameters: [action, id], options }, shell) {
    if (action === "list" && id !== undefined) throw new UsageError(`Unexpected argument "${id}".`);
    if (action === "drain" && id === undefined) throw new UsageError("ID is missing: voxbus gateways list shows them.");
    const timeoutMs = readNumber(options.timeout, "--timeout", 1, 3600) * 1000;
    const gateway = id === undefined ? undefined : readName(id, "ID");
    const view = await watchGateways(await shell.connect());
    try {
      if (gateway === undefined) return list(view.gateways(), options.json, shell);
      return await drain(view, { gateway, timeoutMs, wait: !options["no-wait"], json: options.json }, shell);
    } finally {
      view.close();
    }
  },
});

function list(leases: readonly GatewayLease[], json: boolean, { print }: Shell): number {
  const known = leases.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (json) for (const lease of known) print(toJson(lease));
  else if (known.length === 0) print("no gateway runs");
  else {
    const rows = known.map(({ id, address, load, draining, since }) => [
      id,
      draining ? "draining" : "running",
      String(load.connections),
      String(load.speaking),
      new Date(since).toISOString(),
      address,
    ]);
    print(formatTable(["id", "state", "connections", "speaking", "since", "address"], rows));
  }
  return exitCodes.ok;
}

/** The gateway to drain, and how the command reports. */
interface DrainOrder {
  readonly gateway: string;
  readonly timeoutMs: number;
  readonly wait: boolean;
  readonly json: boolean;
}

/** Drains a gateway and waits until the lease of its process is gone. */
async function drain(
  view: Pick<GatewayView, "gateways">,
  { gateway, timeoutMs, wait, json }: DrainOrder,
  { connect, print, signal }: Shell,
): Promise<number> {
  const lease = view.gateways().find(({ id }) => id === gateway);
  if (lease === undefined) throw new CommandError(`${gateway} does not run: voxbus gateways list shows those that do`);
  const bus = await connect();
  bus.publish(channels.command(gateway), { body: { type: "drain" } });
  await bus.flush();
  const report = (left: GatewayLease["load"] | undefined, isDone: boolean) => {
    const text = isDone
      ? `${gateway} has stopped`
      : `${gateway}: waiting for ${left?.connections ?? 0} connections, ${left?.speaking ?? 0} of them being spoken to`;
    print(json ? toJson({ gateway, ...left, stopped: isDone }) : text);
  };
  report(lease.load, false);
  if (!wait) return exitCodes.ok;
  const began = performance.now();
  for (let told = began; ;) {
    const now = performance.now();
    // The lease of another epoch is that of the next process.
    const left = view.gateways().find(({ id, epoch }) => id === gateway && epoch === lease.epoch);
    if (left === undefined) {
      report(undefined, true);
      return exitCodes.ok;
    }
    if (signal.aborted) return exitCodes.interrupted;
    if (now - began > timeoutMs) throw new CommandError(`${gateway} has not stopped within ${timeoutMs / 1000} s`);
    if (now - told >= tellMs) {
      told = now;
      report(left.load, false);
    }
    await sleep(lookMs, undefined, { signal }).catch(() => undefined); // the next round ends the command
  }
}
