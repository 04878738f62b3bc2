import { buckets, channels, type Command, deviceKey, type Presence, Profile } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ConflictError, type Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import type { Registry } from "./presence.ts";
import { watchPresence } from "./presence-view.ts";
import { watchProfiles } from "./profiles.ts";
import { createRegistry, type RegistryOptions } from "./registry.ts";

const never = new AbortController().signal;
let server: NatsServer;
let bus: Bus;

const connect = (): Promise<Bus> => connectTestBus(server.url);
const register = (id: string, options: Partial<RegistryOptions> = {}, on = bus): Promise<Registry> =>
  createRegistry(on, {
    id,
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

test("enter: the newer session has the higher term, and learns of the one before", async () => {
  const [one, two] = await Promise.all([register("g1"), register("g2")]);
  const view = await watchPresence(bus);
  const device = "aa:bb:cc:dd:ee:01";
  expect(await one.enter(device, describeSession("s1"), never)).toEqual({ term: 1, previous: undefined });
  await vi.waitFor(() => expect(view.online(device)).toMatchObject({ session: "s1", gateway: "g1", term: 1 }));
  const { term, previous } = await two.enter(device, describeSession("s2"), never);
  expect(term).toBe(2);
  expect(previous).toMatchObject({ session: "s1", gateway: "g1" });
  await one.leave(device, "s1");
  await vi.waitFor(() => expect(view.online(device)).toMatchObject({ session: "s2", gateway: "g2", term: 2 }));
  expect([...view.devices()].map(([id]) => id)).toEqual([device]);
  two.update(device, "s2", "idle");
  await vi.waitFor(() => expect(view.online(device)?.state).toBe("idle"));
  await two.leave(device, "s2");
  await vi.waitFor(() => expect(view.online(device)).toBeUndefined());
  view.close();
  await Promise.all([one.close(), two.close()]);
});

test("enter: of many at once every one ends, as the holder or with a newer one named", async () => {
  const registries = await Promise.all(["r1", "r2", "r3", "r4"].map((id) => register(id)));
  const results = await Promise.allSettled(
    registries.map((registry, n) => registry.enter("raced", describeSession(`s${n}`), never)),
  );
  const terms = results.flatMap((result) => (result.status === "fulfilled" ? [result.value.term] : []));
  const lost = results.filter((result) => result.status === "rejected");
  expect(lost.every(({ reason }) => reason instanceof ConflictError)).toBe(true);
  expect(new Set(terms).size).toBe(terms.length);
  const held = (await bus.bucket(buckets.presence).get("raced"))?.value as Presence;
  expect(held.term).toBe(Math.max(...terms));
  await Promise.all(registries.map((registry) => registry.close()));
});

test("presence: after a wipe it comes back with its old terms, the higher term wins, and the loser is told", async () => {
  const commands: Command[] = [];
  bus.subscribe(channels.command("low"), (command) => commands.push(command));
  const [high, low] = await Promise.all([register("high"), register("low")]);
  const view = await watchPresence(bus);
  for (let n = 1; n <= 3; n += 1) {
    await high.enter("comes-back", describeSession(`s${n}`), never);
    await high.enter("contested", describeSession(`high${n}`), never);
  }
  await vi.waitFor(() => expect(view.online("comes-back")?.term).toBe(3));
  await server.callApi("STREAM.PURGE.KV_presence");
  await low.enter("contested", describeSession("low1"), never);
  await vi.waitFor(
    () =>
      expect(commands).toEqual([
        { body: { type: "disconnect", device: "contested", session: "low1", reason: "replaced" } },
      ]),
    { timeout: 5000 },
  );
  expect((await bus.bucket(buckets.presence).get("contested"))?.value).toMatchObject({ term: 3, session: "high3" });
  await vi.waitFor(() => expect(view.online("comes-back")).toMatchObject({ term: 3, session: "s3" }));
  view.close();
  await Promise.all([high.close(), low.close()]);
});

test("presence: a gateway that was overtaken finds out when its state changes", async () => {
  const taken = vi.fn();
  const [one, two] = await Promise.all([register("over1", { taken }), register("over2")]);
  await one.enter("overtaken", describeSession("s1"), never);
  await two.enter("overtaken", describeSession("s2"), never);
  one.update("overtaken", "s1", "idle");
  await vi.waitFor(() => expect(taken).toHaveBeenCalledExactlyOnceWith("overtaken", "s1"));
  expect((await bus.bucket(buckets.presence).get("overtaken"))?.value).toMatchObject({
    session: "s2",
    state: "active",
  });
  await Promise.all([one.close(), two.close()]);
});

test("enter: it ends with its signal", async () => {
  const registry = await register("aborted");
  const reason = new Error("the socket is gone");
  await expect(registry.enter("gone", describeSession("s1"), AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(await bus.bucket(buckets.presence).get("gone")).toBeUndefined();
  await registry.close();
});

test("profiles: the device's own fields over the default's over the schema's, from the next look on", async () => {
  const bucket = bus.bucket(buckets.profiles);
  const profiles = await watchProfiles(bus);
  const device = "aa:bb:cc:dd:ee:02";
  expect(profiles.of(device)).toEqual(Profile.parse({}));
  await bucket.put("=default", { language: "de", lead: 1 });
  await bucket.put(deviceKey(device), { lead: 3 });
  await vi.waitFor(() => expect(profiles.of(device)).toMatchObject({ language: "de", lead: 3 }));
  expect(profiles.of("another")).toMatchObject({ language: "de", lead: 1 });
  await bucket.put(deviceKey(device), { lead: 99 });
  await vi.waitFor(() => expect(profiles.of(device)).toMatchObject({ language: "de", lead: 1 }));
  profiles.close();
});
