import { connect } from "@nats-io/transport-node";
import { readStats } from "../fuzz/stats.ts";
import { startSystem } from "../soak/system.ts";
import { worlds, type Target, type WorldName } from "./attack.ts";

/** Starts a system to attack, with its own nats-server. */
export async function openTarget(world: WorldName): Promise<Target & { close(): Promise<void> }> {
  const system = await startSystem({ VOXBUS_LOG_LEVEL: "info", VOXBUS_MAX_PER_ADDRESS: "1000", ...worlds[world] });
  const { launched } = system;
  // The system ends with this process.
  const endSystem = () => void process.kill(launched.pid, "SIGINT");
  process.once("exit", endSystem);
  // While NATS is away, the attacker is too.
  const nats = await connect({ servers: system.nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 250 });
  const port = Number(new URL(system.device).port);
  return {
    system,
    url: system.device,
    port,
    ota: launched.ota[0] ?? "",
    monitor: launched.monitor,
    gateway: (await readStats(port)).gateway,
    ops: readOps(launched.output()),
    nats,
    async close() {
      await nats.close();
      process.off("exit", endSystem);
      await system.close();
    },
  };
}

/** Reads the operations ports from the ready lines of the programs. */
function readOps(output: string): ReadonlyMap<string, string> {
  const ready = output.split("\n").flatMap((line) => {
    const at = line.indexOf("{");
    if (at < 0 || !line.includes('"msg":"ready"')) return [];
    const { name, ops } = JSON.parse(line.slice(at)) as { readonly name: string; readonly ops?: string };
    return ops === undefined ? [] : [[name, ops] as const];
  });
  return new Map(ready);
}
