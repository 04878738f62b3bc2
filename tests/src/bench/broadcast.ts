import { setTimeout as sleep } from "node:timers/promises";
import { channels } from "@voxbus/protocol";
import { connectTestBus } from "@voxbus/testing";
import { readCpuMs, startChild, type Child } from "./child.ts";
import { now, takeMedian, takeQuantile } from "./numbers.ts";
import { format, ratio, type Table } from "./section.ts";
import { startServer } from "./servers.ts";

/** One message to every device. Medians of several rounds, ms. */
export interface BroadcastRow {
  readonly contender: "bare ws" | "gateway";
  readonly devices: number;
  /** Until half of the devices have it, and until the last one has. */
  readonly half: number;
  readonly last: number;
  /** CPU time of the process with the connections, µs per device. */
  readonly cpu: number;
  /** Devices that did not get it, in all rounds. */
  readonly missed: number;
}

const rounds = 5;
const longestMs = 10_000;
const message = { type: "alert", status: "Notice", message: "Dinner is ready.", emotion: "happy" } as const;

/** Measures part e: a broadcast on fleet.out beside a loop over the sockets of bare ws, in turn. */
export async function measureBroadcast(options: {
  readonly natsUrl: string;
  readonly devices: number;
  readonly progress: (text: string) => void;
}): Promise<readonly BroadcastRow[]> {
  const { natsUrl, devices, progress } = options;
  const bare = await startChild("bare-broadcast");
  const gateway = await startServer("gateway", natsUrl);
  const loads = [await startChild("storm"), await startChild("storm")] as const;
  const bus = await connectTestBus(natsUrl, { name: "bench" });
  const viaBus = async () => {
    const began = now();
    bus.publish(channels.fleetOut(), { kind: "text", body: message });
    await bus.flush();
    return began;
  };
  const ways = [
    {
      contender: "bare ws",
      url: bare.addresses["device"],
      greeting: "none",
      edge: bare,
      send: () => bare.ask<number>("broadcast", { text: JSON.stringify(message) }),
    },
    { contender: "gateway", url: gateway.url, greeting: "hello", edge: gateway.edge, send: viaBus },
  ] as const;
  try {
    for (const [at, { contender, url, greeting }] of ways.entries()) {
      progress(`fleet.out, ${contender}, ${devices} devices connect`);
      await loads[at]!.ask("connect", { url, prefix: "fleet-", count: devices, greeting });
    }
    // Time for the gateway to write presence.
    await sleep(2000);
    const measured = ways.map(() => [] as Round[]);
    for (let round = 0; round <= rounds; round += 1) {
      for (const [at, way] of ways.entries()) {
        progress(`fleet.out, ${way.contender}, ${round}/${rounds}`);
        const one = await broadcast(loads[at]!, way, devices);
        // The first round is a warm-up.
        if (round > 0) measured[at]!.push(one);
      }
    }
    return ways.map(({ contender }, at) => {
      const all = measured[at]!;
      const median = (field: keyof Round) => takeMedian(all.map((one) => one[field]));
      const missed = all.reduce((sum, one) => sum + one.missed, 0);
      return { contender, devices, half: median("half"), last: median("last"), cpu: median("cpu"), missed };
    });
  } finally {
    await bus.close();
    await Promise.all([...loads.map((load) => load.stop()), bare.stop(), gateway.stop()]);
  }
}

interface Round {
  readonly half: number;
  readonly last: number;
  readonly cpu: number;
  readonly missed: number;
}

async function broadcast(
  load: Child,
  way: { readonly edge: Child; send(): Promise<number> },
  devices: number,
): Promise<Round> {
  await load.ask("listen");
  const before = readCpuMs(way.edge.pid);
  const began = await way.send();
  const end = performance.now() + longestMs;
  while ((await load.ask<number>("count")) < devices && performance.now() < end) await sleep(20);
  const cpu = ((readCpuMs(way.edge.pid) - before) * 1000) / devices;
  const arrivals = Float64Array.from(await load.ask<number[]>("listened"), (at) => at - began).sort();
  return {
    half: takeQuantile(arrivals, 0.5),
    last: arrivals.at(-1) ?? Number.NaN,
    cpu,
    missed: devices - arrivals.length,
  };
}

/** Writes the table of part e. */
export function tabulateBroadcast(rows: readonly BroadcastRow[]): readonly Table[] {
  const baseline = rows.find(({ contender }) => contender === "bare ws");
  return [
    {
      title: `one message to ${rows[0]?.devices ?? 0} devices`,
      head: ["", "half have it, ms", "the last has it, ms", "/ bare ws", "CPU µs/device", "/ bare ws", "missed"],
      rows: rows.map((row) => [
        row.contender === "gateway" ? "fleet.out through the gateway" : row.contender,
        format(row.half, 1),
        format(row.last, 1),
        ratio(row.last, baseline?.last),
        format(row.cpu, 1),
        ratio(row.cpu, baseline?.cpu),
        String(row.missed),
      ]),
      lines: [],
    },
  ];
}
