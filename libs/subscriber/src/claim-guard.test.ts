import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { createNoopMeter } from "@opentelemetry/api";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { guardClaims } from "./claim-guard.ts";

let nats: NatsServer;
let bus: Bus;
let other: Bus;
beforeAll(async () => {
  nats = await startNatsServer();
  [bus, other] = [await connectTestBus(nats.url), await connectTestBus(nats.url)];
});
afterAll(async () => {
  await bus.close();
  await other.close();
  await nats.stop();
});

let asked = 0;
const ask = () => {
  asked += 1;
  const text = { session: "s", seq: asked, at: 0, kind: "text" as const, body: "hello" };
  return bus.store(channels.inText("d"), text, { id: `${asked}` });
};

/** Claims texts, and holds each until it is let go. */
async function hold(on: Bus) {
  const held: (() => void)[] = [];
  const claims = await on.claim({
    channel: channels.inText("*"),
    durable: "guarded",
    slots: 2,
    work: () => new Promise<void>((resolve) => held.push(resolve)),
  });
  return { claims, held };
}

test.each([
  ["memory", { memory: 2e9, loopDelay: 0 }],
  ["the delay of its event loop", { memory: 0, loopDelay: 600 }],
])(
  "claim guard: over its threshold of %s, a process leaves jobs to others, and what it holds goes on",
  async (_, heavy) => {
    let load = { memory: 0, loopDelay: 0 };
    const config = { VOXBUS_PAUSE_MEMORY_MB: 1024, VOXBUS_PAUSE_LOOP_DELAY_MS: 500 };
    const guard = guardClaims(bus, { config, meter: createNoopMeter(), log: silentLog, read: () => load });
    const mine = await hold(guard.bus);
    await Promise.all([ask(), ask()]);
    await vi.waitFor(() => expect(mine.held).toHaveLength(2));
    load = heavy;
    await vi.waitFor(() => expect(guard.paused()).toBe(true));
    mine.held.shift()!();
    await vi.waitFor(() => expect(mine.claims.held()).toBe(1));
    await Promise.all([ask(), ask(), ask(), ask()]);
    const others = await hold(other);
    await vi.waitFor(() => expect(others.held).toHaveLength(2));
    expect(mine.held).toHaveLength(1);
    // A process without work takes one job at a time: the load is not the work's.
    mine.held.shift()!();
    await vi.waitFor(() => expect(mine.held).toHaveLength(1), 3000);
    expect(mine.claims.held()).toBe(1);
    load = { memory: 0, loopDelay: 0 };
    await vi.waitFor(() => expect(mine.held).toHaveLength(2), 3000);
    for (const done of [...mine.held, ...others.held]) done();
    await Promise.all([mine.claims.drain(1000), others.claims.drain(1000)]);
    guard.close();
  },
);
