import { channels } from "@voxbus/protocol";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bus } from "../bus.ts";
import type { Claims } from "./claim-options.ts";
import { connectOwnBus } from "../test-bus.ts";
import { createClaimBudget, type ClaimBudget } from "./claim-budget.ts";

let server: NatsServer;
let bus: Bus;
const running: Claims[] = [];

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connectOwnBus(server.url);
});
afterAll(async () => {
  await Promise.all(running.map((claims) => claims.drain(0)));
  await bus.close();
  await server.stop();
});

const openListen = (device: string, seq: number): Promise<unknown> =>
  bus.store(
    channels.inControlOpen(device),
    { session: "s1", seq, at: 0, kind: "control", body: { type: "listen", mode: "auto", gateway: "g1" } },
    { id: `${device}:${seq}` },
  );

/** Claims a device's listens, and holds each until it is let go. */
async function hold(device: string, slots: ClaimBudget) {
  const held: (() => void)[] = [];
  const claims = await bus.claim({
    channel: channels.inControlOpen(device),
    durable: `test-${device}`,
    slots,
    work: () => new Promise<void>((resolve) => held.push(resolve)),
  });
  running.push(claims);
  return { held, claims };
}

test("claim budget: loops that share one hold no more together than it has, but one", async () => {
  const budget = createClaimBudget(6);
  const [one, other] = await Promise.all([hold("one", budget), hold("other", budget)]);
  await Promise.all(Array.from({ length: 20 }, (_, i) => openListen(i % 2 === 0 ? "one" : "other", i + 1)));
  const count = () => one.claims.held() + other.claims.held();
  await vi.waitFor(() => expect(count()).toBeGreaterThanOrEqual(6));
  for (let done = 0; done < 20; done += 1) {
    await vi.waitFor(() => expect(one.held.length + other.held.length).toBeGreaterThan(0));
    expect(count()).toBeLessThanOrEqual(7);
    (one.held.shift() ?? other.held.shift())!();
  }
  await vi.waitFor(() => expect(count()).toBe(0));
});

test("claim budget: a loop that is alone has all slots, beside one without work", async () => {
  const budget = createClaimBudget(6);
  const [busy] = await Promise.all([hold("busy", budget), hold("idle", budget)]);
  await Promise.all(Array.from({ length: 10 }, (_, i) => openListen("busy", i + 1)));
  await vi.waitFor(() => expect(busy.claims.held()).toBeGreaterThanOrEqual(6));
  expect(busy.claims.held()).toBeLessThanOrEqual(7);
  for (let done = 0; done < 10; done += 1) {
    await vi.waitFor(() => expect(busy.held.length).toBeGreaterThan(0));
    busy.held.shift()!();
  }
});

test("claim budget: without room nothing is claimed, and it is claimed when there is room", async () => {
  let room = 0;
  let count = () => 0;
  const { claims, held } = await hold(
    "room",
    createClaimBudget(10, () => room - count()),
  );
  count = claims.held;
  await Promise.all([1, 2, 3].map((seq) => openListen("room", seq)));
  const [lag] = (await bus.lags()).filter(({ durable }) => durable === "test-room");
  expect(lag).toMatchObject({ pending: 3 });
  room = 2;
  await vi.waitFor(() => expect(claims.held()).toBe(2), 10_000);
  room = 3;
  await vi.waitFor(() => expect(claims.held()).toBe(3), 10_000);
  for (const done of held) done();
});
