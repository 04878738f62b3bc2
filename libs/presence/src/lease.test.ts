import { buckets, type Presence } from "@voxbus/protocol";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import type { Registry } from "./presence.ts";
import { watchPresence } from "./presence-view.ts";
import { createRegistry, type RegistryOptions } from "./registry.ts";

const never = new AbortController().signal;
let server: NatsServer;
let bus: Bus;

const connect = (): Promise<Bus> => connectTestBus(server.url);
const register = (id: string, options: Partial<RegistryOptions> = {}, on = bus): Promise<Registry> =>
  createRegistry(on, {
    id,
    epoch: ulid(),
    address: "127.0.0.1:0",
    load: () => ({ connections: 0, speaking: 0 }),
    ...options,
  });
const describeSession = (session: string): Omit<Presence, "term" | "gateway" | "epoch"> => ({
  session,
  since: 0,
  remote: "127.0.0.1",
  protocol: 1,
  features: {},
  state: "active",
});

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connect();
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});

test.concurrent(
  "lease: when a gateway dies all its devices are offline, without a write; when it stops, at once",
  async () => {
    const doomed = await connect();
    const stops = await register("stops");
    const dies = await register("dies", {}, doomed);
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

test.concurrent("lease: a second process with the same id takes over, and the older one says so", async () => {
  const errors: object[] = [];
  const log = { info: () => undefined, warn: () => undefined, error: (fields: object) => void errors.push(fields) };
  const older = await register("same", { epoch: ulid(2), log });
  const newer = await register("same", { epoch: ulid(3) });
  await expect(register("same", { epoch: ulid(1) })).rejects.toThrow(/a newer process/);
  await vi.waitFor(() => expect(errors.length).toBeGreaterThan(0), { timeout: 5000 });
  await Promise.all([older.close(), newer.close()]);
});
