import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { readRssKib, root, startChild } from "./child.ts";
import { contenders, startServer, type Contender } from "./servers.ts";

/** Resident memory of idle connections, KiB each. */
export interface IdleRow {
  readonly contender: Contender;
  readonly connections: number;
  /** As it stands when nothing happens any more. */
  readonly settled: number;
  /** After a forced collection of garbage, before and after: what the connections themselves hold. */
  readonly held: number;
}

/** Connections that are not counted, as a share: they pay for code and for the growth of the young generation. */
const warmUp = 0.5;
const rounds = 2;
const mostMs = 15_000;

/** Part b: memory of idle connections; two rounds of each contender in turn with the same Node flags, and their means. */
export async function measureIdle(options: {
  readonly natsUrl: string;
  readonly connections: number;
  /** Memory stands still when it has not changed by a hundredth for half of this, s. */
  readonly seconds: number;
  readonly progress: (text: string) => void;
}): Promise<readonly IdleRow[]> {
  const { connections } = options;
  const all: IdleRow[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of contenders) {
      options.progress(`memory, ${connections} idle connections, ${contender}, ${round}/${rounds}`);
      all.push(await measureOne(contender, options));
    }
  }
  return contenders.map((contender) => {
    const rows = all.filter((row) => row.contender === contender);
    const mean = (field: "settled" | "held") => rows.reduce((sum, row) => sum + row[field], 0) / rows.length;
    return { contender, connections, settled: mean("settled"), held: mean("held") };
  });
}

async function measureOne(
  contender: Contender,
  {
    natsUrl,
    connections,
    seconds,
  }: { readonly natsUrl: string; readonly connections: number; readonly seconds: number },
): Promise<IdleRow> {
  const preload = pathToFileURL(`${root}tests/dist/bench/collect-on-signal.js`).href;
  const server = await startServer(contender, natsUrl, ["--expose-gc", "--import", preload]);
  const load = await startChild("load");
  const measure = async (count: number) => {
    await load.ask("connect", { url: server.url, prefix: "idle-", count, hello: server.hello });
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
      contender,
      connections,
      settled: (many.settled - few.settled) / connections,
      held: (many.held - few.held) / connections,
    };
  } finally {
    await Promise.all([load.stop(), server.stop()]);
  }
}

/** Resident memory of a process, KiB, once it has not changed by more than a hundredth for `stillMs`. */
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
