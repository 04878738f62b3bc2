import { channels } from "@voxbus/protocol";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bus } from "../bus.ts";
import { connectOwnBus } from "../test-bus.ts";

let nats: NatsServer;
let bus: Bus;
let other: Bus;

beforeAll(async () => {
  nats = await startNatsServer();
  [bus, other] = await Promise.all([connectOwnBus(nats.url), connectOwnBus(nats.url)]);
});
afterAll(async () => {
  await bus?.close();
  await other?.close();
  await nats?.stop();
});

test("lags: messages not yet delivered, and messages held", async () => {
  const open = async (session: string) => {
    const body = { type: "listen", mode: "auto", gateway: "g1" } as const;
    const frame = { session, seq: 1, at: 1, kind: "control", body } as const;
    await bus.store(channels.inControlOpen("d1"), frame, { id: `${session}:1` });
  };
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  const claims = await bus.claim({
    channel: channels.inControlOpen("*"),
    durable: "lagging",
    slots: 1,
    work: () => done,
  });
  for (const session of ["a", "b", "c"]) await open(session);
  await vi.waitFor(async () => {
    expect(await other.lags()).toEqual([
      { stream: "DEVICE_IN", durable: "lagging", pending: 2, held: 1, redelivered: 0 },
    ]);
  });
  expect(bus.stats()).toMatchObject({ held: 1, claims: 1, redeliveries: 0 });
  finish();
  await vi.waitFor(() => expect(bus.stats()).toMatchObject({ held: 0, claims: 3 }));
  await claims.drain(0);
});
