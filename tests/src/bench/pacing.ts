import { setTimeout as sleep } from "node:timers/promises";
import { startChild, type Child } from "./child.ts";
import type { Gaps } from "./load.ts";
import { takeMedian } from "./numbers.ts";
import { startServer, type Contender, type Server } from "./servers.ts";

/** The gaps between the packets of replies, as devices see them. Times in ms, shares from 0 to 1. */
export interface PacingRow extends Gaps {
  readonly contender: Contender;
  readonly devices: number;
}

const contenders = ["bare timers", "gateway"] as const;
const frames = 40;
/** A reply's length, the time in which all begin, and some. */
const roundMs = frames * 60 + 1000 + 500;

/** Measures the part play-out: how evenly the packets of replies reach devices, when replies come faster than they are spoken. */
export async function measurePacing(options: {
  readonly nats: { readonly url: string };
  readonly devices: number;
  readonly repeat: number;
  readonly progress: (text: string) => void;
}): Promise<readonly PacingRow[]> {
  const { nats, devices, repeat } = options;
  const running: { readonly contender: Contender; readonly server: Server; readonly load: Child; gaps: Gaps[] }[] = [];
  const speaker = await startChild("bus-speaker", { args: [nats.url] });
  const names = Array.from({ length: devices }, (_, at) => `spoken-${at}`);
  try {
    for (const contender of contenders) {
      const server = await startServer(contender, nats.url);
      const load = await startChild("load");
      running.push({ contender, server, load, gaps: [] });
      await load.ask("connect", { url: server.url, prefix: "spoken-", count: devices, greeting: server.greeting });
    }
    // Time for the subscriptions of all devices.
    await sleep(1000);
    for (let round = 0; round <= repeat; round += 1) {
      for (const { contender, load, gaps } of running) {
        options.progress(`play-out, ${devices} devices, ${contender}, ${round}/${repeat}`);
        await load.ask("hear");
        await speaker.ask("speak", { devices: names, frames, to: contender === "gateway" ? "gateway" : "bare" });
        await sleep(roundMs - 1000);
        const heard = await load.ask<Gaps>("heard");
        // The first round is a warm-up.
        if (round > 0) gaps.push(heard);
      }
    }
    return running.map(({ contender, gaps }) => {
      const median = (field: keyof Gaps) => takeMedian(gaps.map((one) => one[field]));
      const count = gaps.reduce((sum, one) => sum + one.count, 0);
      return {
        contender,
        devices,
        count,
        p50: median("p50"),
        p99: median("p99"),
        over65: median("over65"),
        over120: median("over120"),
      };
    });
  } finally {
    await Promise.all([speaker.stop(), ...running.flatMap(({ server, load }) => [load.stop(), server.stop()])]);
  }
}
