import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { channels, encodeEnvelope, type Inbound, type ReplayRequest } from "@voxbus/protocol";
import { startNatsServer, type NatsServer, loose } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bus } from "./bus.ts";
import type { Closer } from "./closer.ts";
import { connectOwnBus } from "./test-bus.ts";

let server: NatsServer;
let bus: Bus;
let gatewayBus: Bus;
let count = 0;
const nextDevice = (): string => `d${(count += 1)}`;

/** The part of a gateway that a follower talks to: it publishes frames, or only remembers them, and replays. */
function playGateway(device: string, session: string) {
  const gateway = `gateway-${device}`;
  const memory = new Map<number, Uint8Array>();
  const asked: ReplayRequest[] = [];
  let open = true;
  let newest = 0;
  let stillMs = 0;
  const make = (seq: number): Inbound => ({
    session,
    seq,
    at: 0,
    kind: "audio",
    body: new Uint8Array([seq]),
  });
  const answers = gatewayBus.respond(channels.replay(gateway), (request) => {
    asked.push(request);
    const until = performance.now() + stillMs;
    while (performance.now() < until);
    const to = request.to ?? Infinity;
    const frames = [...memory].filter(([seq]) => seq >= request.from && seq <= to).map(([, bytes]) => bytes);
    return { session, open, newest: Math.max(newest, ...memory.keys()), frames };
  });
  return {
    gateway,
    asked,
    send: (...seqs: number[]) => {
      for (const seq of seqs) {
        memory.set(seq, encodeEnvelope(z.any(), make(seq)));
        gatewayBus.publish(loose(channels.inAudio(device)), make(seq));
      }
    },
    /** Frames that only a replay brings. */
    miss: (...seqs: number[]) => {
      for (const seq of seqs) memory.set(seq, encodeEnvelope(z.any(), make(seq)));
    },
    /** Frames that were published, and are no longer kept. */
    forget: (to: number) => {
      newest = to;
      for (const seq of memory.keys()) if (seq <= to) memory.delete(seq);
    },
    /** A frame that no replay brings. */
    sendOnce: (seq: number) => gatewayBus.publish(loose(channels.inAudio(device)), make(seq)),
    endSession: () => (open = false),
    /** This process stands still before the next answer. */
    standStill: (ms: number) => (stillMs = ms),
    die: () => answers.close(),
  };
}

async function follow(device: string, gateway: string, given: { after?: number; goneMs?: number } = {}) {
  const seen: (number | string)[] = [];
  const lostAt: number[] = [];
  const closer: Closer = bus.follow({
    device,
    session: "s1",
    gateway,
    after: 0,
    ...given,
    frame: ({ seq }) => seen.push(seq),
    lost(from, to) {
      seen.push(`lost ${from}-${to}`);
      lostAt.push(performance.now());
    },
    gone: () => seen.push("gone"),
  });
  await bus.flush();
  return { seen, lostAt, close: closer.close };
}

beforeAll(async () => {
  server = await startNatsServer();
  [bus, gatewayBus] = await Promise.all([connectOwnBus(server.url), connectOwnBus(server.url)]);
});
afterAll(async () => {
  await Promise.all([bus.close(), gatewayBus.close()]);
  await server.stop();
});

test.concurrent("follow: live frames come in order, once, without a request to the gateway", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  const { seen, close } = await follow(device, gateway.gateway);
  gateway.send(1, 2, 3, 3, 2, 4);
  await vi.waitFor(() => expect(seen).toEqual([1, 2, 3, 4]));
  expect(gateway.asked).toEqual([]);
  close();
});

test.concurrent("follow: frames before the first live one are requested once", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  gateway.miss(4, 5, 6);
  const { seen, close } = await follow(device, gateway.gateway, { after: 3 });
  gateway.send(7, 8);
  await vi.waitFor(() => expect(seen).toEqual([4, 5, 6, 7, 8]));
  expect(gateway.asked.map(({ from, to }) => [from, to])).toEqual([[4, 6]]);
  close();
});

test.concurrent("follow: a frame that comes late takes its place", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  const { seen, close } = await follow(device, gateway.gateway);
  gateway.sendOnce(1);
  gateway.sendOnce(3);
  gateway.sendOnce(2);
  await vi.waitFor(() => expect(seen).toEqual([1, 2, 3]));
  close();
});

test.concurrent("follow: each gap counts as lost 300 ms after it was noticed", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  const { seen, lostAt, close } = await follow(device, gateway.gateway);
  gateway.sendOnce(1);
  gateway.sendOnce(4);
  const shownAt = performance.now();
  await sleep(150);
  gateway.sendOnce(6);
  await vi.waitFor(() => expect(seen).toEqual([1, "lost 2-3", 4, "lost 5-5", 6]), { interval: 5 });
  expect(lostAt[0]).toBeGreaterThan(shownAt + 290);
  expect(lostAt[1]).toBeGreaterThan(shownAt + 440);
  expect(gateway.asked.filter(({ to }) => to !== undefined).map(({ from, to }) => [from, to])).toEqual([
    [2, 3],
    [5, 5],
  ]);
  close();
});

test.concurrent("follow: frames that the gateway no longer keeps are lost, even if none follows", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  const { seen, close } = await follow(device, gateway.gateway);
  gateway.miss(1, 2, 3, 4);
  gateway.forget(2);
  await vi.waitFor(() => expect(seen).toEqual(["lost 1-2", 3, 4]), { timeout: 3000 });
  gateway.forget(6);
  await vi.waitFor(() => expect(seen).toEqual(["lost 1-2", 3, 4, "lost 5-6"]), { timeout: 4000 });
  gateway.send(7);
  await vi.waitFor(() => expect(seen.at(-1)).toBe(7));
  close();
});

test.concurrent("follow: after 500 ms without a frame the gateway is asked", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  gateway.miss(1, 2);
  const { seen, close } = await follow(device, gateway.gateway);
  const startedAt = performance.now();
  await vi.waitFor(() => expect(seen).toEqual([1, 2]), { interval: 5 });
  expect(performance.now() - startedAt).toBeGreaterThan(400);
  close();
});

test.concurrent("follow: frames of other sessions are ignored", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s2");
  const ours = playGateway(`${device}x`, "s1");
  const { seen, close } = await follow(device, ours.gateway);
  gateway.send(1, 2, 3);
  await gatewayBus.flush();
  await bus.flush();
  expect(seen).toEqual([]);
  close();
});

test.concurrent("follow: a session that the gateway no longer holds is gone after its last frames", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  gateway.miss(1, 2, 4);
  gateway.endSession();
  const { seen } = await follow(device, gateway.gateway);
  await vi.waitFor(() => expect(seen).toEqual([1, 2, "lost 3-3", 4, "gone"]));
});

test.concurrent("follow: a gateway that does not answer is gone after goneMs", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  const { seen } = await follow(device, gateway.gateway, { goneMs: 1500 });
  gateway.send(1);
  gateway.die();
  const diedAt = performance.now();
  await vi.waitFor(() => expect(seen).toEqual([1, "gone"]), { timeout: 4000 });
  expect(performance.now() - diedAt).toBeGreaterThan(1400);
});

test("follow: if this process stands still, frames whose replay has arrived meanwhile are not lost", async () => {
  const device = nextDevice();
  const gateway = playGateway(device, "s1");
  gateway.miss(2, 3);
  gateway.standStill(700);
  const { seen, close } = await follow(device, gateway.gateway);
  gateway.sendOnce(1);
  gateway.sendOnce(4);
  await vi.waitFor(() => expect(seen).toEqual([1, 2, 3, 4]));
  close();
});
