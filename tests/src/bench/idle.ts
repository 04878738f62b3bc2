import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { readRssKib, root, startChild } from "./child.ts";
import type { Greeting } from "./device.ts";
import { contenders, startServer, type Contender, type Server } from "./servers.ts";

/** Resident memory per idle connection, KiB. */
export interface IdleRow {
  readonly contender: Contender;
  readonly connections: number;
  /** When the memory no longer changes. */
  readonly settled: number;
  /** After a forced garbage collection, so without the garbage of the handshakes. */
  readonly held: number;
}

/** The share of connections for the warm-up, which are not counted: code and the young generation grow with them. */
const warmUp = 0.5;
const mostMs = 15_000;

/** Measures part b: the memory of idle connections with the same Node flags. */
export async function measureIdle(options: {
  readonly natsUrl: string;
  readonly connections: number;
  /** Memory counts as settled if it changes by less than 1 % in half of this time, s. */
  readonly seconds: number;
  readonly progress: (text: string) => void;
}): Promise<readonly IdleRow[]> {
  const rows: IdleRow[] = [];
  for (const contender of contenders) {
    options.progress(`memory, ${options.connections} idle connections, ${contender}`);
    rows.push(await measureOne(contender, options));
  }
  return rows;
}

async function measureOne(
  contender: (typeof contenders)[number],
  { natsUrl, ...sizes }: { readonly natsUrl: string; readonly connections: number; readonly seconds: number },
): Promise<IdleRow> {
  const server = await startServer(contender, natsUrl, { flags: collecting });
  try {
    return { contender, connections: sizes.connections, ...(await measureMemory(server, { ...server, ...sizes })) };
  } finally {
    await server.stop();
  }
}

/** Flags of Node with which a server can be measured. */
export const collecting: readonly string[] = [
  "--expose-gc",
  "--import",
  pathToFileURL(`${root}tests/dist/bench/collect-on-signal.js`).href,
];

/** Measures the memory of one more connection of a server that has just started, KiB. */
export async function measureMemory(
  server: Pick<Server, "edge">,
  target: {
    readonly url: string;
    readonly greeting: Greeting;
    readonly connections: number;
    readonly seconds: number;
  },
): Promise<Pick<IdleRow, "settled" | "held">> {
  const { url, greeting, connections, seconds } = target;
  const load = await startChild("load");
  const measure = async (count: number) => {
    await load.ask("connect", { url, prefix: "idle-", count, greeting });
    const settled = await awaitStill(server.edge.pid, seconds * 500);
    server.edge.kill("SIGUSR2");
    await sleep(300);
    return { settled, held: readRssKib(server.edge.pid) };
  };
  try {
    const first = Math.ceil(connections * warmUp);
    const few = await measure(first);
    const many = await measure(first + connections);
    return {
      settled: (many.settled - few.settled) / connections,
      held: (many.held - few.held) / connections,
    };
  } finally {
    await load.stop();
  }
}

/** Waits until the resident memory of a process has changed by less than 1 % for `stillMs`, and returns it, KiB. */
async function awaitStill(pid: number, stillMs: number): Promise<number> {
  const end = performance.now() + mostMs;
  let still = readRssKib(pid);
  for (let since = performance.now(); performance.now() < Math.min(end, since + stillMs); await sleep(100)) {
    const rss = readRssKib(pid);
    if (Math.abs(rss - still) < still / 100) continue;
    still = rss;
    since = performance.now();
  }
  return readRssKib(pid);
}
