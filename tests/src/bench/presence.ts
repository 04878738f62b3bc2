import { setTimeout as sleep } from "node:timers/promises";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createRegistry } from "@voxbus/presence";
import { buckets, type Presence } from "@voxbus/protocol";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { readPssKib, readRssKib, startChild, type Child } from "./child.ts";
import { describeSpread, now, takeMedian, type Spread } from "./numbers.ts";
import { format, ratio, type Table } from "./section.ts";
import { startSystem } from "./system.ts";

/** The figures of a program that watches presence. Times in ms, memory in MiB. */
interface Watching {
  /** Until it has every entry. */
  readonly load: number;
  /** The memory that the entries add, after a garbage collection. */
  readonly memory: number;
  /** From the write of a changed entry until the program has it. */
  readonly change: Spread;
}

/** Presence of a number of devices. */
export interface PresenceRow {
  readonly devices: number;
  /** The time of the whole row, and that to store the entries. */
  readonly took: number;
  readonly fill: number;
  readonly bare: Watching;
  readonly view: Watching;
  /** The monitor: from its start until its API knows every device, its memory, and an answer with 100 devices. */
  readonly monitor: { readonly ready: number; readonly memory: number; readonly list: number };
  /** The memory of nats-server. */
  readonly nats: number;
}

const gateway = "bench";
const epoch = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
/** The size of all buckets: presence has a share of about a tenth, and an entry takes some 300 bytes. */
const bucketsMb = 8192;
const inFlight = 500;
const changes = 50;
const lists = 5;
/** A number of devices that would take longer than this is left out, ms. */
const longestMs = 240_000;

/** Measures part g for each number of devices, and names those for which there is no time. */
export async function measurePresence(options: {
  readonly devices: readonly number[];
  readonly progress: (text: string) => void;
}): Promise<{ readonly rows: readonly PresenceRow[]; readonly skipped: readonly string[] }> {
  const rows: PresenceRow[] = [];
  const skipped: string[] = [];
  for (const devices of options.devices) {
    const last = rows.at(-1);
    const guess = last ? (last.took * devices) / last.devices : 0;
    if (guess > longestMs) skipped.push(`${devices} devices: would take about ${format(guess / 1000, 0)} s`);
    else rows.push(await measureRow(devices, options.progress));
  }
  return { rows, skipped };
}

async function measureRow(devices: number, progress: (text: string) => void): Promise<PresenceRow> {
  const began = performance.now();
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url, { name: "bench", config: { VOXBUS_BUCKETS_MB: bucketsMb } });
  const registry = await createRegistry(bus, {
    id: gateway,
    epoch,
    address: "127.0.0.1",
    load: () => ({ connections: devices, speaking: 0 }),
  });
  const nc = await connect({ servers: nats.url });
  const flags = ["--expose-gc", "--max-old-space-size=8192"];
  const [bare, view] = [
    await startChild("presence-watcher", { args: [nats.url], flags }),
    await startChild("presence-watcher", { args: [nats.url], flags }),
  ];
  try {
    progress(`presence, ${devices} devices are stored`);
    const fill = await time(() => storeAll(nc, devices));
    const bucket = bus.bucket(buckets.presence);
    const change = (device: string, session: string) => bucket.put(device, makePresence(session));
    progress(`presence, ${devices} devices, nats.js`);
    const bareRow = await watch(bare, "watchBare", { devices, change });
    progress(`presence, ${devices} devices, the view`);
    const viewRow = await watch(view, "watchView", { devices, change });
    progress(`presence, ${devices} devices, the monitor`);
    const monitor = await measureMonitor(nats, devices);
    const memory = readRssKib(nats.pid) / 1024;
    return { devices, took: performance.now() - began, fill, bare: bareRow, view: viewRow, monitor, nats: memory };
  } finally {
    await registry.close();
    await Promise.all([bare.stop(), view.stop()]);
    await nc.close();
    await bus.close();
    await nats.stop();
  }
}

function makePresence(session: string): Presence {
  return {
    term: 1,
    gateway,
    epoch,
    session,
    since: 1_700_000_000_000,
    remote: "192.0.2.77",
    protocol: 1,
    features: { mcp: true },
    state: "idle",
  };
}

function nameDevice(n: number): string {
  return `device-${String(n).padStart(7, "0")}`;
}

/** Stores an entry for each device. Only every 500th is acknowledged: what came before on the connection is stored, too. */
async function storeAll(nc: NatsConnection, devices: number): Promise<void> {
  const encoder = new TextEncoder();
  for (let n = 0; n < devices; n += 1) {
    const session = `${epoch.slice(0, -7)}${String(n).padStart(7, "0")}`;
    const data = encoder.encode(JSON.stringify(makePresence(session)));
    const subject = `$KV.voxbus_presence.${nameDevice(n)}`;
    const isLast = n === devices - 1;
    if (n % inFlight !== inFlight - 1 && !isLast) nc.publish(subject, data);
    else {
      const { error } = (await nc.request(subject, data, { timeout: 10_000 })).json<{
        error?: { description: string };
      }>();
      if (error) throw new Error(`nats-server did not store the entries: ${error.description}`);
    }
  }
}

async function watch(
  child: Child,
  way: "watchBare" | "watchView",
  { devices, change }: { readonly devices: number; change(device: string, session: string): Promise<unknown> },
): Promise<Watching> {
  const before = readRssKib(child.pid);
  const load = await child.ask<number>(way, { count: devices });
  await child.ask("collect");
  const memory = (readRssKib(child.pid) - before) / 1024;
  const latencies: number[] = [];
  for (let round = 0; round < changes; round += 1) {
    const device = nameDevice(Math.floor((round * devices) / changes));
    const session = `${way}-${round}`;
    const seen = child.ask<number>("awaitChange", { device, session });
    await sleep(5);
    const began = now();
    await change(device, session);
    latencies.push((await seen) - began);
  }
  return { load, memory, change: describeSpread(latencies) };
}

/** Starts the programs, asks the monitor until it knows every device, and then for pages of its list. */
async function measureMonitor(
  nats: { readonly url: string; readonly pid: number },
  devices: number,
): Promise<PresenceRow["monitor"]> {
  const began = performance.now();
  const counts = { gateway: 0, asr: 0, tts: 0, dialogue: 0 };
  const env = { VOXBUS_BUCKETS_MB: String(bucketsMb), NODE_OPTIONS: "--max-old-space-size=8192" };
  const system = await startSystem({ nats, counts, env });
  try {
    const ask = async () => {
      const response = await fetch(new URL("/api/devices?limit=100", system.monitor));
      if (!response.ok) throw new Error(`the monitor's API answered ${response.status}`);
      return (await response.json()) as { readonly online: number };
    };
    while ((await ask()).online < devices) {
      if (performance.now() - began > longestMs) throw new Error("the monitor does not know every device");
      await sleep(100);
    }
    const ready = performance.now() - began;
    const times: number[] = [];
    for (let round = 0; round < lists; round += 1) times.push(await time(ask));
    const memory = system.pids("monitor").reduce((sum, pid) => sum + readPssKib(pid), 0) / 1024;
    return { ready, memory, list: takeMedian(times) };
  } finally {
    await system.stop();
  }
}

async function time(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** Writes the tables of part g. */
export function tabulatePresence(rows: readonly PresenceRow[], skipped: readonly string[]): readonly Table[] {
  const watchers = rows.flatMap((row) =>
    (["bare", "view"] as const).map((name) => {
      const { load, memory, change } = row[name];
      return [
        `${row.devices} devices: ${name === "bare" ? "nats.js and a map" : "the view of the bus"}`,
        format(load / 1000),
        ratio(load, row.bare.load),
        format(memory, 0),
        ratio(memory, row.bare.memory),
        format((memory * 1024 * 1024) / row.devices, 0),
        `${format(change.p50)}/${format(change.p99)}`,
        ratio(change.p50, row.bare.change.p50),
      ];
    }),
  );
  return [
    {
      title: "a program that watches presence",
      head: [
        "", "loaded after, s", "/ nats.js", "memory MiB", "/ nats.js", "bytes/device", "a change arrives after p50/p99 ms", "/ nats.js",
      ],
      rows: watchers,
      lines: skipped,
    },
    {
      title: "the monitor and nats-server with presence",
      head: ["devices", "stored in, s", "monitor knows all after, s", "monitor MiB", "list of 100, ms", "nats-server MiB", "took s"],
      rows: rows.map(({ devices, fill, monitor, nats, took }) => [
        String(devices),
        format(fill / 1000),
        format(monitor.ready / 1000),
        format(monitor.memory, 0),
        format(monitor.list, 1),
        format(nats, 0),
        format(took / 1000, 0),
      ]),
      lines: [],
    },
  ];
} /* prettier-ignore */
