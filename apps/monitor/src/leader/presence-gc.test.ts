import { buckets } from "@voxbus/protocol";
import type { Bus } from "@voxbus/bus";
import { createRegistry, watchPresence, type PresenceView } from "@voxbus/presence";
import { connectTestBus, silentLog, startNatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { watchGateways } from "../alerts/gateway-watch.ts";
import { createPresenceGc } from "./presence-gc.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
let presence: PresenceView;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  presence = await watchPresence(bus);
});
afterAll(async () => {
  presence?.close();
  await bus?.close();
  await nats?.stop();
});

const entry = (gateway: string, epoch: string) => ({
  term: 1,
  gateway,
  epoch,
  session: "s1",
  since: 0,
  remote: "",
  protocol: 1,
  features: {},
  state: "active" as const,
});
const open = (id: string, on: Bus = bus) =>
  createRegistry(on, { id, epoch: "e1", address: "", load: () => ({ connections: 0, speaking: 0 }) });

test("presence GC: removes the entries of gateways that are gone, and keeps those of the others", async () => {
  const gateway = await open("here");
  const session = { session: "s1", since: 0, remote: "", protocol: 1, features: {}, state: "active" as const };
  await gateway.enter("mine", session, AbortSignal.timeout(5000));
  await bus.bucket(buckets.presence).put("left", entry("gone", "e1"));
  await bus.bucket(buckets.canaries).put("gone", { epoch: "e1", at: 5000 });
  const records = bus.bucket(buckets.devices);
  await records.put("left", { lastSeen: 1000, lastReason: "", totalOnline: 100, session: "s1" });
  await vi.waitFor(() => expect(presence.online("mine")).toBeDefined());
  const patient = createPresenceGc({ bus, presence, log: silentLog });
  expect(await patient.collect()).toBe(0);
  expect(await patient.collect()).toBe(0);
  const gc = createPresenceGc({ bus, presence, log: silentLog, afterMs: 0 });
  expect(await gc.collect()).toBe(2);
  expect(await bus.bucket(buckets.presence).get("left")).toBeUndefined();
  const ended = { lastSeen: 5000, lastReason: "gateway_lost", totalOnline: 4100 };
  expect((await records.get("left"))?.value).toEqual(ended);
  expect(await bus.bucket(buckets.canaries).get("gone")).toBeUndefined();
  expect(await bus.bucket(buckets.presence).get("mine")).toBeDefined();
  expect(await gc.collect()).toBe(0);
  await gateway.close();
});

test("gateways: the next monitor misses the gateways that this one had seen", async () => {
  const own = await connectTestBus(nats.url);
  await open("watched", own);
  await vi.waitFor(() => expect(presence.gateways().map(({ id }) => id)).toContain("watched"));
  const before = watchGateways({ bus, presence, log: silentLog });
  expect((await before.check(new Set())).get("watched")).toBe(0);
  // As if it had died, and its lease had expired.
  await own.close();
  await bus.bucket(buckets.gateways).remove("watched");
  await vi.waitFor(() => expect(presence.gateways()).toEqual([]));

  const after = watchGateways({ bus, presence, log: silentLog, settleMs: 0 });
  await after.inherit();
  expect((await after.check(new Set())).get("watched")).toBe(1);
  const told = watchGateways({ bus, presence, log: silentLog, settleMs: 0 });
  await told.inherit();
  expect((await told.check(new Set(["watched"]))).get("watched")).toBe(0);
});
