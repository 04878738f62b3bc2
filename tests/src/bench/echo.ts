import { setTimeout as sleep } from "node:timers/promises";
import { readCpuMs, startChild, type Child } from "./child.ts";
import type { Mode, SliceResult } from "./load.ts";
import { mergeSpreads, takeMedian, type Spread } from "./numbers.ts";
import { contenders, readDrops, startServer, startSocketIo, type Contender, type Server } from "./servers.ts";

/** The medians of one contender under one load. Times are in ms, CPU in µs per echoed frame and process. */
export interface EchoRow extends Spread {
  readonly contender: Contender;
  readonly mode: Mode;
  readonly connections: number;
  /** Echoed frames per second. */
  readonly rate: number;
  readonly sent: number;
  readonly lost: number;
  readonly cpu: { readonly edge: number; readonly echo: number; readonly broker: number; readonly load: number };
  /** The load generator's share of one core. */
  readonly loadBusy: number;
  /** The server's drops by reason, if it counts them. */
  readonly drops: Readonly<Record<string, number>>;
}

interface Measured {
  readonly result: SliceResult;
  readonly cpu: EchoRow["cpu"];
  readonly loadBusy: number;
}

/** The rows of part a, and why socket.io is not among them. */
export interface EchoResult {
  readonly rows: readonly EchoRow[];
  readonly problem: string | undefined;
}

/** Measures part a: a frame from the device through gateway, bus and subscriber, and back. */
export async function measureEcho(options: {
  readonly nats: { readonly url: string; readonly pid: number };
  readonly connections: number;
  readonly seconds: number;
  readonly repeat: number;
  /** True to download a redis-server if this machine has no other. */
  readonly fetch: boolean;
  readonly progress: (text: string) => void;
}): Promise<EchoResult> {
  const { nats, connections, seconds, repeat } = options;
  const running: { readonly server: Server; readonly load: Child }[] = [];
  let problem: string | undefined;
  const socketIo = async () => {
    try {
      return await startSocketIo(options);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      return undefined;
    }
  };
  try {
    const starts = [...contenders.map((contender) => () => startServer(contender, nats.url)), socketIo];
    for (const start of starts) {
      const server = await start();
      if (!server) continue;
      const load = await startChild("load");
      running.push({ server, load });
      await load.ask("connect", { url: server.url, prefix: "device-", count: connections, greeting: server.greeting });
    }
    // Time for the gateway to write presence.
    await sleep(1000);
    const rows: EchoRow[] = [];
    for (const mode of ["closed", "paced"] as const) {
      const measured = new Map<Contender, Measured[]>(running.map(({ server }) => [server.contender, []]));
      // The first round of all is a warm-up.
      const first = mode === "closed" ? 0 : 1;
      for (let round = first; round <= repeat; round += 1) {
        for (const { server, load } of running) {
          options.progress(`echo, ${connections} connections, ${mode}, ${server.contender}, ${round}/${repeat}`);
          const one = await measureSlice(server, load, server.brokerPid ?? nats.pid, { mode, seconds });
          if (round > 0) measured.get(server.contender)?.push(one);
        }
      }
      for (const { server } of running) {
        rows.push({
          contender: server.contender,
          mode,
          connections,
          ...summarize(measured.get(server.contender) ?? []),
          drops: await readDrops(server),
        });
      }
    }
    return { rows, problem };
  } finally {
    await Promise.all(running.flatMap(({ server, load }) => [load.stop(), server.stop()]));
  }
}

/** Measures the echo of one slice of load, with the CPU time of each process per frame. */
export async function measureSlice(
  server: Server,
  load: Child,
  brokerPid: number,
  slice: { readonly mode: Mode; readonly seconds: number },
): Promise<Measured> {
  const read = () => ({
    edge: readCpuMs(server.edge.pid),
    echo: server.echo ? readCpuMs(server.echo.pid) : 0,
    broker: readCpuMs(brokerPid),
    load: readCpuMs(load.pid),
  });
  const before = read();
  const began = performance.now();
  const result = await load.ask<SliceResult>("run", slice);
  const after = read();
  const frames = Math.max(1, result.sent - result.lost);
  const perFrame = (who: keyof EchoRow["cpu"]) => ((after[who] - before[who]) * 1000) / frames;
  return {
    result,
    cpu: { edge: perFrame("edge"), echo: perFrame("echo"), broker: perFrame("broker"), load: perFrame("load") },
    loadBusy: (after.load - before.load) / (performance.now() - began),
  };
}

function summarize(slices: readonly Measured[]): Omit<EchoRow, "contender" | "mode" | "connections" | "drops"> {
  const results = slices.map(({ result }) => result);
  const cpu = (who: keyof EchoRow["cpu"]) => takeMedian(slices.map((slice) => slice.cpu[who]));
  const sum = (field: "sent" | "lost") => results.reduce((total, result) => total + result[field], 0);
  return {
    ...mergeSpreads(results),
    rate: takeMedian(results.map(({ rate }) => rate)),
    sent: sum("sent"),
    lost: sum("lost"),
    cpu: { edge: cpu("edge"), echo: cpu("echo"), broker: cpu("broker"), load: cpu("load") },
    loadBusy: takeMedian(slices.map((slice) => slice.loadBusy)),
  };
}
