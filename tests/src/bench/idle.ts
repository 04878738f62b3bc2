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

/** The first connections are not counted: they pay for code and for the first growth of the heap. */
const warmUp = 250;
const mostMs = 15_000;

/** Part b: memory of idle connections, each contender in its turn with the same Node flags. */
export async function measureIdle(options: {
  readonly natsUrl: string;
  readonly connections: number;
  /** Memory stands still when it has not changed by a hundredth for half of this, s. */
  readonly seconds: number;
  readonly progress: (text: string) => void;
}): Promise<readonly IdleRow[]> {
  const { natsUrl, connections, seconds } = options;
  const preload = pathToFileURL(`${root}tests/dist/bench/collect-on-signal.js`).href;
  const rows: IdleRow[] = [];
  for (const contender of contenders) {
    options.progress(`memory, ${connections} idle connections, ${contender}`);
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
      const few = await measure(warmUp);
      const many = await measure(warmUp + connections);
      rows.push({
        contender,
        connections,
        settled: (many.settled - few.settled) / connections,
        held: (many.held - few.held) / connections,
      });
    } finally {
      await Promise.all([load.stop(), server.stop()]);
    }
  }
  return rows;
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
