import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readRssKib } from "../bench/child.ts";
import type { SoakSystem } from "./system.ts";

/** The resources of a process, memory in MB. `held` is JavaScript memory after a collection; nats-server has none. */
export interface ProcessSample {
  readonly pid: number;
  readonly rss: number;
  readonly held: number | undefined;
  readonly timers: number | undefined;
  readonly handles: number;
}

/** The resources of all processes at one time. */
export interface Sample {
  readonly at: number;
  readonly processes: ReadonlyMap<string, ProcessSample>;
  readonly connections: number;
  /** The bytes in the gateway's memory budget, its frames that wait for NATS, and its calls that are due later. */
  readonly buffered: number;
  readonly waiting: number;
  readonly wakeups: number;
  readonly subscriptions: number;
  /** The consumers of each stream. */
  readonly consumers: Readonly<Record<string, number>>;
  readonly stored: number;
  /** The keys with a value in each bucket. */
  readonly keys: Readonly<Record<string, number>>;
}

/** The used part of nats-server's report on its streams. */
interface Jsz {
  readonly messages: number;
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly name: string; readonly state: { readonly consumer_count: number } }[];
  }[];
}

const mega = 1_048_576;
const timeoutMs = 10_000;

interface Told {
  readonly at: number;
  readonly held: number;
  readonly timers: number;
}

/** Samples every process and the server. Throws if one does not answer within 10 s. */
export async function takeSample(system: SoakSystem): Promise<Sample> {
  const at = Date.now();
  const programs = system.programs();
  for (const { pid } of programs) process.kill(pid, "SIGUSR2");
  const told = await Promise.all(programs.map(({ pid }) => readTold(`${system.directory}/${pid}.json`, at)));
  const look = (pid: number) => ({
    pid,
    rss: readRssKib(pid) / 1024,
    handles: readdirSync(`/proc/${pid}/fd`).length,
  });
  const processes = new Map<string, ProcessSample>(
    programs.map(({ name, pid }, i) => {
      const { held, timers } = told[i] as Told;
      return [name, { ...look(pid), held: held / mega, timers }];
    }),
  );
  processes.set("nats-server", { ...look(system.natsPid), held: undefined, timers: undefined });
  const [subsz, jsz, stats] = await Promise.all([
    ask<{ num_subscriptions: number }>(`${system.monitoring}/subsz`),
    ask<Jsz>(`${system.monitoring}/jsz?accounts=true&streams=true`),
    ask<Pick<Sample, "connections" | "buffered" | "waiting" | "wakeups">>(system.stats),
  ]);
  const streams = (jsz.account_details ?? []).flatMap(({ stream_detail = [] }) => stream_detail);
  return {
    at,
    processes,
    connections: stats.connections,
    buffered: stats.buffered,
    waiting: stats.waiting,
    wakeups: stats.wakeups,
    subscriptions: subsz.num_subscriptions,
    consumers: Object.fromEntries(streams.map(({ name, state }) => [name, state.consumer_count])),
    stored: jsz.messages,
    keys: system.keys(),
  };
}

async function ask<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  return (await response.json()) as T;
}

async function readTold(path: string, since: number): Promise<Told> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline;) {
    if (existsSync(path)) {
      const told = JSON.parse(readFileSync(path, "utf8")) as Told;
      if (told.at >= since) return told;
    }
    await sleep(20);
  }
  throw new Error(`no sample came within ${timeoutMs} ms: ${path}`);
}
