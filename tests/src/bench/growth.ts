import { setTimeout as sleep } from "node:timers/promises";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { readCpuMs, readPssKib, readTreePssKib, startChild, type Child } from "./child.ts";
import type { SliceResult } from "./load.ts";
import { readTreeCpuMs } from "./process-tree.ts";
import { startServer, type Server } from "./servers.ts";

/** The cost of a number of devices on one gateway. Times in ms. */
export interface DevicesRow {
  readonly devices: number;
  /** Memory per device, KiB, of the gateway and of nats-server. */
  readonly gatewayKib: number;
  readonly natsKib: number;
  /** CPU time of both in a second, ms for each 1,000 idle devices, beyond that without idle devices. */
  readonly idleMs: number;
  /** An echo of the same load, whatever the number of idle devices: latencies, and CPU µs per frame of gateway and broker. */
  readonly p50: number;
  readonly p99: number;
  readonly frameUs: number;
  /** The factor by which the pings of the measurement are more frequent than by default. */
  readonly pings: number;
}

/** Several gateways with the same devices in a closed loop. */
export interface GatewaysRow {
  readonly gateways: number;
  /** Each with a port of its own, or as processes behind one port (`VOXBUS_GATEWAY_WORKERS`). */
  readonly ports: "each" | "one";
  readonly connections: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU µs per frame of all gateways, and their memory, MiB. */
  readonly frameUs: number;
  readonly memory: number;
}

/** The devices that echo beside the idle ones. */
const echoing = 100;
const defaultPingMs = 30_000;

/** Measures the cost of each device on one gateway, as their number grows. */
export async function measureDevices(options: {
  readonly counts: readonly number[];
  readonly seconds: number;
  readonly progress: (text: string) => void;
}): Promise<readonly DevicesRow[]> {
  const { counts, seconds, progress } = options;
  // More pings than by default, so that a short measurement sees every device as often.
  const pingMs = seconds * 2500;
  const nats = await startNatsServer();
  const env = { VOXBUS_PING_MS: String(pingMs), VOXBUS_SUSPECT_MS: "60000" };
  const server = await startServer("gateway", nats.url, { env });
  const idle = await startChild("load");
  const echo = await startChild("load");
  const rows: DevicesRow[] = [];
  try {
    const { url, greeting } = server;
    await echo.ask("connect", { url, prefix: "echo-", count: Math.min(echoing, counts[0] ?? echoing), greeting });
    await echo.ask("run", { mode: "paced", seconds });
    const readBoth = () => readCpuMs(server.edge.pid) + readCpuMs(nats.pid);
    const rest = async () => {
      const before = readBoth();
      await sleep(pingMs);
      return readBoth() - before;
    };
    const emptyMs = await rest();
    const readKib = () => ({ gateway: readPssKib(server.edge.pid), nats: readPssKib(nats.pid) });
    const empty = readKib();
    for (const devices of counts) {
      progress(`growth, ${devices} devices on a gateway`);
      await idle.ask("connect", { url, prefix: "idle-", count: devices, greeting });
      await sleep(settleMs);
      const idleMs = Math.max(0, (await rest()) - emptyMs);
      const memory = readKib();
      const began = readBoth();
      const result = await echo.ask<SliceResult>("run", { mode: "paced", seconds });
      const frameUs = ((readBoth() - began) * 1000) / Math.max(1, result.sent - result.lost);
      rows.push({
        devices,
        gatewayKib: (memory.gateway - empty.gateway) / devices,
        natsKib: (memory.nats - empty.nats) / devices,
        idleMs: (idleMs / (pingMs / 1000) / devices) * 1000,
        p50: result.p50,
        p99: result.p99,
        frameUs,
        pings: defaultPingMs / pingMs,
      });
    }
    return rows;
  } finally {
    await Promise.all([idle.stop(), echo.stop(), server.stop()]);
    await nats.stop();
  }
}

const settleMs = 2000;
/** The time for the processes of a port to end in order, ms. */
const endMs = 5000;

/** Measures the same connections on more and more gateways of one machine. */
export async function measureGateways(options: {
  readonly counts: readonly number[];
  readonly connections: number;
  readonly seconds: number;
  readonly progress: (text: string) => void;
}): Promise<readonly GatewaysRow[]> {
  const rows: GatewaysRow[] = [];
  for (const gateways of options.counts) {
    for (const ports of gateways === 1 ? (["each"] as const) : (["each", "one"] as const)) {
      options.progress(`growth, ${gateways} gateways, ports: ${ports}`);
      const nats = await startNatsServer();
      try {
        rows.push(await measureSome(nats, { ...options, gateways, ports }));
      } finally {
        await nats.stop();
      }
    }
  }
  return rows;
}

async function measureSome(
  nats: NatsServer,
  options: {
    readonly gateways: number;
    readonly ports: GatewaysRow["ports"];
    readonly connections: number;
    readonly seconds: number;
  },
): Promise<GatewaysRow> {
  const { gateways, ports, connections, seconds } = options;
  const servers: Server[] = [];
  const loads: Child[] = [];
  try {
    for (let n = 0; n < gateways; n += 1) {
      const env = {
        VOXBUS_GATEWAY_ID: `bench-${n}`,
        ...(ports === "one" && { VOXBUS_GATEWAY_WORKERS: String(gateways) }),
      };
      // One program echoes for all of them.
      if (ports === "each" || n === 0) servers.push(await startServer("gateway", nats.url, { env, echo: n === 0 }));
      const load = await startChild("load");
      loads.push(load);
      const { url, greeting } = servers.at(-1)!;
      const count = Math.ceil(connections / gateways);
      await load.ask("connect", { url, prefix: `device-${n}-`, count, greeting });
    }
    await sleep(1000);
    const readEdges = () => servers.reduce((sum, { edge }) => sum + readTreeCpuMs(edge.pid), 0);
    const run = () => Promise.all(loads.map((load) => load.ask<SliceResult>("run", { mode: "closed", seconds })));
    await run();
    const before = readEdges();
    const results = await run();
    const frames = results.reduce((sum, { sent, lost }) => sum + sent - lost, 0);
    const frameUs = ((readEdges() - before) * 1000) / Math.max(1, frames);
    const memory = servers.reduce((sum, { edge }) => sum + readTreePssKib(edge.pid), 0) / 1024;
    await Promise.all(loads.map((load) => load.stop()));
    // The processes of a port end before their parent, so that their CPU time is known as ours.
    if (ports === "one") await Promise.all(servers.map(({ edge }) => edge.end(endMs)));
    return {
      gateways,
      ports,
      connections,
      rate: results.reduce((sum, { rate }) => sum + rate, 0),
      p50: Math.max(...results.map(({ p50 }) => p50)),
      p99: Math.max(...results.map(({ p99 }) => p99)),
      frameUs,
      memory,
    };
  } finally {
    await Promise.all([...loads, ...servers].map((one) => one.stop()));
  }
}
