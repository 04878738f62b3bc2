import { setTimeout as sleep } from "node:timers/promises";
import { watchPresence } from "@voxbus/presence";
import { connectTestBus, type NatsServer } from "@voxbus/testing";
import { startChild } from "./child.ts";
import { describeTail, type Tail } from "./numbers.ts";
import { format, ratio, type Table } from "./section.ts";
import { startServer } from "./servers.ts";
import type { StormResult } from "./storm.ts";
import { startSystem } from "./system.ts";
import type { TalkResult, TalkRun } from "./talk.ts";

/** The return of many devices at the same moment. Times in ms. */
export interface ReconnectRow {
  readonly contender: "bare bridge" | "gateway";
  readonly devices: number;
  /** Until a device is back, and until the last one is. */
  readonly back: Tail;
  readonly all: number;
  /** From a device's last attempt to its hello; without one, to the end of the upgrade. */
  readonly hello: Tail;
  readonly refused: number;
  /** Until presence shows every device with its new session. */
  readonly presence?: number;
  /** From a text to the first sound, of devices that stayed connected: before, and meanwhile. */
  readonly before?: Tail;
  readonly meanwhile?: Tail;
}

const bystanders = 20;
/** The longest wait for presence. */
const presenceMs = 30_000;
/**
 * All devices of the benchmark have one address, which may connect at half the gateway's rate. This makes that half what all
 * together may do by default.
 */
const env = { VOXBUS_MAX_CONNECTS_S: "2000" };

/** Measures part d: all devices lose their connections and come back at once, while others talk. */
export async function measureReconnect(options: {
  readonly nats: NatsServer;
  readonly devices: number;
  /** The time in which bystanders begin turns, s: before, and again meanwhile. */
  readonly seconds: number;
  readonly progress: (text: string) => void;
}): Promise<readonly ReconnectRow[]> {
  const { nats, devices, seconds, progress } = options;
  progress(`reconnection of ${devices} devices, bare bridge`);
  const bridge = await startServer("bare bridge", nats.url);
  let baseline: StormResult;
  try {
    baseline = await runStorm(bridge.url, devices, "none");
  } finally {
    await bridge.stop();
  }
  progress(`reconnection of ${devices} devices, gateway`);
  return [describe("bare bridge", devices, baseline), await measureGateway(nats, devices, seconds)];
}

async function runStorm(url: string, count: number, greeting: "none" | "hello"): Promise<StormResult> {
  const storm = await startChild("storm");
  try {
    const target = { url, prefix: "storm-", count, greeting };
    await storm.ask("connect", target);
    await sleep(1000);
    return await storm.ask<StormResult>("storm", target);
  } finally {
    await storm.stop();
  }
}

async function measureGateway(nats: NatsServer, devices: number, seconds: number): Promise<ReconnectRow> {
  const engines = await startChild("engines");
  const talk = await startChild("talk");
  const storm = await startChild("storm");
  const bus = await connectTestBus(nats.url, { name: "bench" });
  try {
    const system = await startSystem({ nats, engines: engines.addresses["engines"], env });
    try {
      const target = { url: system.urls[0], prefix: "storm-", count: devices, greeting: "hello" };
      await storm.ask("connect", target);
      await talk.ask("connect", { urls: system.urls, prefix: "bystander-", count: bystanders });
      const view = await watchPresence(bus);
      // The first run is a warm-up.
      await talk.ask("run", talkFor(seconds));
      const before = await talk.ask<TalkResult>("run", talkFor(seconds));
      const running = talk.ask<TalkResult>("run", talkFor(seconds));
      running.catch(() => undefined);
      await sleep(500);
      const began = performance.now();
      const result = await storm.ask<StormResult>("storm", target);
      const isComplete = () => result.sessions.every((session, at) => view.online(`storm-${at}`)?.session === session);
      while (!isComplete() && performance.now() - began < presenceMs) await sleep(50);
      const presence = isComplete() ? performance.now() - began : Number.NaN;
      const meanwhile = await running;
      view.close();
      const text = ({ turns }: TalkResult) =>
        describeTail(turns.map(({ firstSound }) => firstSound).filter((value) => value !== undefined));
      return { ...describe("gateway", devices, result), presence, before: text(before), meanwhile: text(meanwhile) };
    } finally {
      await system.stop();
    }
  } finally {
    await bus.close();
    await Promise.all([engines, talk, storm].map((child) => child.stop()));
  }
}

/** Lets the bystanders hold short turns, more than one a second each. */
function talkFor(seconds: number): TalkRun {
  return { devices: bystanders, seconds, kinds: ["aborted"], spreadMs: 500, pauseMs: 200 };
}

function describe(contender: ReconnectRow["contender"], devices: number, result: StormResult): ReconnectRow {
  const { back, hellos, refused } = result;
  return {
    contender,
    devices,
    back: describeTail(back),
    all: Math.max(...back),
    hello: describeTail(hellos),
    refused,
  };
}

/** Writes the table of part d. */
export function tabulateReconnect(rows: readonly ReconnectRow[]): readonly Table[] {
  const baseline = rows.find(({ contender }) => contender === "bare bridge");
  const gateway = rows.find(({ contender }) => contender === "gateway");
  const tail = (one: Tail | undefined) => (one ? `${format(one.p50, 0)}/${format(one.p99, 0)}` : "-");
  return [
    {
      title: `${rows[0]?.devices ?? 0} devices reconnect at once`,
      head: [
        "", "all back, s", "/ bare bridge", "back p50/p99 ms", "hello of the last attempt p50/p99 ms", "attempts refused",
        "all in presence, s", "a bystander's text → first sound before, p50/p99 ms", "meanwhile",
      ],
      rows: rows.map((row) => [
        row.contender,
        format(row.all / 1000),
        ratio(row.all, baseline?.all),
        tail(row.back),
        tail(row.hello),
        String(row.refused),
        format((row.presence ?? Number.NaN) / 1000),
        tail(row.before),
        tail(row.meanwhile),
      ]),
      lines: [
        "the gateway accepts 1,000 connections a second after a burst of 2,000 (its default); the others come again after 0.2 to 2 s",
        `bystanders, meanwhile / before: p50 ${ratio(gateway?.meanwhile?.p50, gateway?.before?.p50)}, ` +
          `p99 ${ratio(gateway?.meanwhile?.p99, gateway?.before?.p99)}`,
      ],
    },
  ];
} /* prettier-ignore */
