import type { Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { watchPresence } from "./presence-view.ts";
import { describeSession, never, register } from "./test-registry.ts";

let server: NatsServer;
let bus: Bus;

const connect = (): Promise<Bus> => connectTestBus(server.url);

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connect();
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});

test.concurrent(
  "lease: a gateway's devices go offline without a write when it dies, and at once when it stops",
  async () => {
    const doomed = await connect();
    const stops = await register(bus, "stops");
    const dies = await register(doomed, "dies");
    const view = await watchPresence(bus);
    await dies.enter("lost", describeSession("s1"), never);
    await stops.enter("left", describeSession("s1"), never);
    await vi.waitFor(() => expect([...view.devices()]).toHaveLength(2));
    await stops.close();
    await vi.waitFor(() => expect(view.online("left")).toBeUndefined());
    expect(view.online("lost")).toBeDefined();
    const { revision } = (await bus.bucket(buckets.presence).get("lost")) ?? {};
    await doomed.close();
    await vi.waitFor(() => expect(view.online("lost")).toBeUndefined(), { timeout: 12_000 });
    expect(view.gateways().some(({ id }) => id === "dies")).toBe(false);
    expect((await bus.bucket(buckets.presence).get("lost"))?.revision).toBe(revision);
    view.close();
    await dies.close();
  },
  20_000,
);

test.concurrent("lease: a second process with the same id takes over, and the older one is told once", async () => {
  const told: string[] = [];
  const superseded = ({ message }: Error) => void told.push(message);
  const older = await register(bus, "same", { epoch: ulid(2), superseded });
  const epoch = ulid(3);
  const newer = await register(bus, "same", { epoch });
  await expect(register(bus, "same", { epoch: ulid(1) })).rejects.toThrow(/started with the id same too/);
  await vi.waitFor(() => expect(told).toHaveLength(1), { timeout: 5000 });
  await older.draining();
  await older.close();
  expect(told).toEqual([expect.stringContaining("VOXBUS_GATEWAY_ID")]);
  expect((await bus.bucket(buckets.gateways).get("same"))?.value?.epoch).toBe(epoch);
  await newer.close();
});
