import { setTimeout as sleep } from "node:timers/promises";
import { readCpuMs, startChild, type Child } from "./child.ts";
import { describeSpread, mergeSpreads, takeMedian, type Spread } from "./numbers.ts";
import { frameBytes } from "./device.ts";
import { gatewayId, startServer } from "./servers.ts";

/** The result of one way to do something on the bus; latencies in ms. */
export interface BusRow extends Spread {
  readonly what: string;
  readonly name: string;
  /** The name of the baseline. */
  readonly baseline: string;
  /** CPU time of the receiving process per message, µs. */
  readonly cpu?: number;
  readonly lost: number;
}

/** The setting of the bus measurements. */
export interface BusBench {
  readonly nats: { readonly url: string; readonly pid: number };
  readonly seconds: number;
  readonly repeat: number;
  readonly utterances: number;
  readonly progress: (text: string) => void;
}

interface Slice extends Spread {
  readonly lost: number;
  readonly cpu?: number;
}

/** Measures the part bus: claim, follow and replay, each compared with nats.js alone. */
export async function measureBus(bench: BusBench): Promise<readonly BusRow[]> {
  const start = (name: string) => startChild(name, { args: [bench.nats.url] });
  const source = await start("bus-source");
  const worker = await start("bus-worker");
  const bare = await start("bare-worker");
  const asker = await start("bare-worker");
  try {
    return [
      ...(await measureClaim(bench, { source, worker, bare })),
      ...(await measureFollow(bench, { source, worker, bare })),
      ...(await measureReplay(bench, { source, bare, asker })),
    ];
  } finally {
    await Promise.all([source, worker, bare, asker].map((child) => child.stop()));
  }
}

/** Runs several ways in turn and returns the medians of each. */
async function interleave(
  { repeat, progress }: BusBench,
  what: string,
  baseline: string,
  ways: Readonly<Record<string, (round: number) => Promise<Slice>>>,
): Promise<readonly BusRow[]> {
  const slices = new Map<string, Slice[]>();
  for (let round = 0; round <= repeat; round += 1) {
    for (const [name, run] of Object.entries(ways)) {
      progress(`bus, ${what}, ${name}, ${round}/${repeat}`);
      const slice = await run(round);
      // The first round is a warm-up.
      if (round > 0) slices.set(name, [...(slices.get(name) ?? []), slice]);
    }
  }
  return [...slices].map(([name, all]) => {
    const cpus = all.flatMap(({ cpu }) => (cpu === undefined ? [] : [cpu]));
    return {
      what,
      name,
      baseline,
      ...mergeSpreads(all),
      ...(cpus.length > 0 ? { cpu: takeMedian(cpus) } : {}),
      lost: all.reduce((sum, { lost }) => sum + lost, 0),
    };
  });
}

/** Measures from the publish of `in.control.open` to the worker's claim. */
function measureClaim(
  bench: BusBench,
  { source, worker, bare }: Readonly<Record<"source" | "worker" | "bare", Child>>,
): Promise<readonly BusRow[]> {
  const count = Math.max(20, Math.round(bench.seconds * 50));
  const way = (by: Child) => async (round: number) => {
    const device = `claim-${by.name}-${round}`;
    await by.ask("claim", { device });
    const sent = await source.ask<number[]>("open", { device, count, everyMs: 10 });
    await sleep(300);
    const claimed = new Map(await by.ask<[number, number][]>("endClaim"));
    const latencies = sent.flatMap((at, index) => {
      const then = claimed.get(index + 1);
      return then === undefined ? [] : [then - at];
    });
    return { ...describeSpread(latencies), lost: count - latencies.length };
  };
  return interleave(bench, "claim", "nats.js consume()", { "nats.js consume()": way(bare), "bus.claim": way(worker) });
}

/** Measures from the publish of an audio frame to its follower's handler, with many utterances at once. */
function measureFollow(
  bench: BusBench,
  { source, worker, bare }: Readonly<Record<"source" | "worker" | "bare", Child>>,
): Promise<readonly BusRow[]> {
  const way =
    (by: Child, how: "follow" | "followStream", prefix: string) =>
    async (round: number): Promise<Slice> => {
      const devices = Array.from({ length: bench.utterances }, (_, at) => `${prefix}${at}`);
      const session = `${prefix}-${round}`;
      await by.ask(how, { session, devices });
      const before = readCpuMs(by.pid);
      const subjectsOf = how === "follow" ? "in" : "stream";
      const sent = await source.ask<number>("speak", { subjectsOf, session, devices, seconds: bench.seconds });
      // On a busy machine the last frames are late.
      for (let tries = 0; tries < 30 && (await by.ask<number>("countFollowed")) < sent; tries += 1) await sleep(100);
      const cpu = ((readCpuMs(by.pid) - before) * 1000) / sent;
      const latencies = await by.ask<number[]>(how === "follow" ? "endFollow" : "endFollowStream");
      return { ...describeSpread(latencies), cpu, lost: sent - latencies.length };
    };
  const what = `follow, ${bench.utterances} utterances`;
  return interleave(bench, what, "nats.js subscribe()", {
    "nats.js subscribe()": way(bare, "follow", "bare"),
    "bus.follow": way(worker, "follow", "mine"),
    "JetStream consumer each": way(bare, "followStream", "stream"),
  });
}

/** Measures a gateway's replay of an utterance; 66 frames are 4 s. */
async function measureReplay(
  bench: BusBench,
  { source, bare, asker }: Readonly<Record<"source" | "bare" | "asker", Child>>,
): Promise<readonly BusRow[]> {
  const frames = 66;
  const server = await startServer("gateway", bench.nats.url);
  const load = await startChild("load");
  try {
    const sessions = await load.ask<string[]>("connect", {
      url: server.url,
      prefix: "replay-",
      count: 100,
      greeting: "hello",
    });
    await bare.ask("respond", { bytes: frames * (frameBytes + 64) });
    await load.ask("fill", { frames });
    await sleep(500);
    const mine = async (count: number, rounds: number): Promise<Slice> => {
      const details = { gateway: gatewayId, sessions: sessions.slice(0, count), frames, rounds };
      const { times, short } = await source.ask<{ times: number[]; short: number }>("replay", details);
      return { ...describeSpread(times), lost: short };
    };
    const theirs = async (count: number, rounds: number): Promise<Slice> => ({
      ...describeSpread(await asker.ask<number[]>("request", { count, rounds })),
      lost: 0,
    });
    const name = "nats.js request(), same size";
    return [
      ...(await interleave(bench, `replay of ${frames} frames`, name, {
        [name]: () => theirs(1, 100),
        gateway: () => mine(1, 100),
      })),
      ...(await interleave(bench, `replay of ${frames} frames, 100 at once`, name, {
        [name]: () => theirs(100, 10),
        gateway: () => mine(100, 10),
      })),
    ];
  } finally {
    await Promise.all([load.stop(), server.stop()]);
  }
}
