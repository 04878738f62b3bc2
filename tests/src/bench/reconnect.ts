import { setTimeout as sleep } from "node:timers/promises";
import { watchPresence, type PresenceView } from "@voxbus/presence";
import { connectTestBus, type NatsServer } from "@voxbus/testing";
import { readRssKib, startChild } from "./child.ts";
import type { Greeting } from "./device.ts";
import { describeTail, type Tail } from "./numbers.ts";
import { format, ratio, type Table } from "./section.ts";
import { startServer } from "./servers.ts";
import type { StormResult } from "./storm.ts";
import { startSystem, type System } from "./system.ts";
import type { TalkResult, TalkRun } from "./talk.ts";

/** The return of many devices at the same moment. Times in ms. */
export interface Return {
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
  /** The most memory that the gateway had, MiB. */
  readonly peakMib?: number;
}

/** The return of many devices to one server. */
export interface ReconnectRow extends Return {
  readonly contender: "bare bridge" | "gateway";
  readonly devices: number;
}

const bystanders = 20;
/** The longest wait for presence. */
const presenceMs = 30_000;
/** The gateway's rate is the default. Systems of the benchmark have no limit otherwise. */
export const usualRate = { VOXBUS_MAX_CONNECTS_S: "1000" };

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
  const engines = await startChild("engines");
  try {
    const system = await startSystem({ nats, engines: engines.addresses["engines"], env: usualRate });
    try {
      const gateway = await measureReturn({
        nats,
        system,
        url: system.urls[0] ?? "",
        greeting: "hello",
        devices,
        seconds,
      });
      return [
        { contender: "bare bridge", devices, ...describe(baseline) },
        { contender: "gateway", devices, ...gateway },
      ];
    } finally {
      await system.stop();
    }
  } finally {
    await engines.stop();
  }
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

/** Lets all devices of a system leave and come back at once, while bystanders on the same transport talk. */
export async function measureReturn(options: {
  readonly nats: NatsServer;
  readonly system: System;
  readonly url: string;
  readonly greeting: Greeting;
  readonly devices: number;
  readonly seconds: number;
}): Promise<Return> {
  const { nats, system, url, greeting, devices, seconds } = options;
  const [pid = 0] = system.pids("gateway");
  const talk = await startChild("talk");
  const storm = await startChild("storm");
  const bus = await connectTestBus(nats.url, { name: "bench" });
  try {
    const target = { url, prefix: "storm-", count: devices, greeting };
    await storm.ask("connect", target);
    await talk.ask("connect", { urls: [url], prefix: "bystander-", count: bystanders });
    const view = await watchPresence(bus);
    // The first run is a warm-up.
    await talk.ask("run", talkFor(seconds));
    const before = await talk.ask<TalkResult>("run", talkFor(seconds));
    const running = talk.ask<TalkResult>("run", talkFor(seconds));
    running.catch(() => undefined);
    await sleep(500);
    const old = listSessions(view, devices);
    const began = performance.now();
    const result = await storm.ask<StormResult>("storm", target);
    const isComplete = () =>
      listSessions(view, devices).every((session, at) => session !== undefined && session !== old[at]);
    while (!isComplete() && performance.now() - began < presenceMs) await sleep(50);
    const presence = isComplete() ? performance.now() - began : Number.NaN;
    const meanwhile = await running;
    view.close();
    const text = ({ turns }: TalkResult) =>
      describeTail(turns.map(({ firstSound }) => firstSound).filter((value) => value !== undefined));
    const peakMib = readRssKib(pid, "VmHWM") / 1024;
    return { ...describe(result), presence, before: text(before), meanwhile: text(meanwhile), peakMib };
  } finally {
    await bus.close();
    await Promise.all([talk.stop(), storm.stop()]);
  }
}

/** Lists the sessions of the devices as presence shows them. */
function listSessions(view: PresenceView, devices: number): readonly (string | undefined)[] {
  return Array.from({ length: devices }, (_, at) => view.online(`storm-${at}`)?.session);
}

/** Lets the bystanders hold short turns, more than one a second each. */
function talkFor(seconds: number): TalkRun {
  return { devices: bystanders, seconds, kinds: ["aborted"], spreadMs: 500, pauseMs: 200 };
}

function describe({ back, hellos, refused }: StormResult): Return {
  return { back: describeTail(back), all: Math.max(...back), hello: describeTail(hellos), refused };
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
