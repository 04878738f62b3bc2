import { buckets } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { startTcpProxy, type TcpProxy } from "@voxbus/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openTestGateways, readStats, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;
const proxies: TcpProxy[] = [];

beforeEach(async () => {
  gateways = await openTestGateways();
});
afterEach(async () => {
  for (const proxy of proxies) proxy.resume();
  await gateways.stop();
  for (const proxy of proxies.splice(0)) proxy.close();
});

/** Starts a gateway whose connection to NATS can be stalled. */
async function startCuttable(id: string): Promise<{ readonly gateway: Running; readonly proxy: TcpProxy }> {
  const proxy = await startTcpProxy(gateways.nats.url);
  proxies.push(proxy);
  const gateway = await gateways.start({ VOXBUS_GATEWAY_ID: id, VOXBUS_NATS_URL: proxy.url });
  return { gateway, proxy };
}

const untilHeldBy = (device: string, session: string | undefined) =>
  vi.waitFor(() => expect(gateways.view.online(device)?.session).toBe(session), { timeout: 8000 });
const untilConnected = (gateway: Running, connected: boolean) =>
  vi.waitFor(async () => expect((await readStats(gateway)).nats).toBe(connected), { timeout: 8000 });
/** Waits until every gateway has written what it knows. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 3500));

test("a gateway that was cut off returns: the device's newer session on another gateway stays", async () => {
  const { gateway: first, proxy } = await startCuttable("first");
  const second = await gateways.start({ VOXBUS_GATEWAY_ID: "second" });
  proxy.stall();
  const older = await gateways.open(first, { id: "moved" });
  const newer = await gateways.open(second, { id: "moved" });
  await untilHeldBy("moved", newer.session);
  await untilConnected(first, false);
  proxy.resume();
  expect(await older.closed).toEqual({ code: 4001, reason: "replaced" });
  await settle();
  expect(newer.open).toBe(true);
  expect(gateways.view.online("moved")?.session).toBe(newer.session);
}, 30_000);

test.each(["first", "second"] as const)(
  "two gateways were cut off, the %s returns first: the device's newer session stays",
  async (returns) => {
    const first = await startCuttable("first");
    const second = await startCuttable("second");
    for (const { proxy } of [first, second]) proxy.stall();
    const older = await gateways.open(first.gateway, { id: "twice" });
    const newer = await gateways.open(second.gateway, { id: "twice" });
    await untilConnected(first.gateway, false);
    await untilConnected(second.gateway, false);
    const [early, late] = returns === "first" ? [first, second] : [second, first];
    early.proxy.resume();
    await untilHeldBy("twice", returns === "first" ? older.session : newer.session);
    late.proxy.resume();
    expect(await older.closed).toEqual({ code: 4001, reason: "replaced" });
    await settle();
    expect(newer.open).toBe(true);
    expect(gateways.view.online("twice")?.session).toBe(newer.session);
  },
  30_000,
);

test("the bucket is wiped while a gateway is cut off: the device's newer session stays", async () => {
  const { gateway: first, proxy } = await startCuttable("first");
  const second = await gateways.start({ VOXBUS_GATEWAY_ID: "second" });
  // Each session raises the term.
  for (let n = 0; n < 3; n += 1) {
    const earlier = await gateways.open(first, { id: "wiped" });
    await untilHeldBy("wiped", earlier.session);
  }
  const older = await gateways.open(first, { id: "wiped" });
  await untilHeldBy("wiped", older.session);
  proxy.stall();
  await untilConnected(first, false);
  await gateways.nats.callApi("STREAM.PURGE.KV_voxbus_presence");
  const newer = await gateways.open(second, { id: "wiped" });
  await untilHeldBy("wiped", newer.session);
  proxy.resume();
  expect(await older.closed).toEqual({ code: 4001, reason: "replaced" });
  await settle();
  expect(newer.open).toBe(true);
  expect(gateways.view.online("wiped")?.session).toBe(newer.session);
}, 30_000);

test("a device returns to the same gateway while it is cut off: its newer session stays", async () => {
  const { gateway, proxy } = await startCuttable("only");
  proxy.stall();
  const older = await gateways.open(gateway, { id: "same" });
  const newer = await gateways.open(gateway, { id: "same" });
  expect(await older.closed).toEqual({ code: 4001, reason: "replaced" });
  await untilConnected(gateway, false);
  proxy.resume();
  await untilHeldBy("same", newer.session);
  await settle();
  expect(newer.open).toBe(true);
  expect(gateways.view.online("same")?.session).toBe(newer.session);
}, 30_000);

test("a device leaves while its gateway is cut off: it is offline afterwards, whichever of its sessions was registered", async () => {
  const { gateway, proxy } = await startCuttable("only");
  const registered = await gateways.open(gateway, { id: "was-there" });
  await untilHeldBy("was-there", registered.session);
  await gateways.open(gateway, { id: "witness" });
  proxy.stall();
  const returned = await gateways.open(gateway, { id: "was-there" });
  const visitor = await gateways.open(gateway, { id: "visitor" });
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const device of [returned, visitor]) device.vanish();
  await untilConnected(gateway, false);
  proxy.resume();
  await untilConnected(gateway, true);
  await untilHeldBy("was-there", undefined);
  await settle();
  for (const device of ["was-there", "visitor"]) {
    expect(await gateways.bus.bucket(buckets.presence).get(device)).toBeUndefined();
  }
  expect(gateways.view.online("witness")).toBeDefined();
}, 30_000);

test("a session whose state changes before its presence is written: presence shows the state", async () => {
  const proxy = await startTcpProxy(gateways.nats.url);
  proxies.push(proxy);
  const gateway = await gateways.start({ VOXBUS_NATS_URL: proxy.url, VOXBUS_PING_MS: "300" });
  proxy.stall();
  const device = await gateways.open(gateway, { id: "quiet" });
  await new Promise((resolve) => setTimeout(resolve, 600));
  proxy.resume();
  await untilHeldBy("quiet", device.session);
  await vi.waitFor(() => expect(gateways.view.online("quiet")?.state).toBe("idle"), { timeout: 2000 });
}, 30_000);

test("a device falls silent: its record shows its last sign of life, not the time at which it was given up", async () => {
  const gateway = await gateways.start({
    VOXBUS_PING_MS: "300",
    VOXBUS_SUSPECT_MS: "600",
    VOXBUS_IDLE_TIMEOUT_MS: "2000",
  });
  const device = await gateways.open(gateway, { id: "silent" });
  const read = async () => (await gateways.bus.bucket(buckets.devices).get("silent"))?.value;
  await untilHeldBy("silent", device.session);
  const silentSince = Date.now();
  device.pause();
  await vi.waitFor(async () => expect((await read())?.lastReason).toBe("heartbeat_timeout"), { timeout: 8000 });
  expect(Date.now() - silentSince).toBeGreaterThan(1500);
  expect((await read())?.lastSeen).toBeLessThan(silentSince + 500);
}, 30_000);

test("a presence that another program removed: its session is closed, and the device may return", async () => {
  const gateway = await gateways.start({ VOXBUS_PING_MS: "2000" });
  const device = await gateways.open(gateway, { id: "removed" });
  await untilHeldBy("removed", device.session);
  await settle();
  await gateways.bus.bucket(buckets.presence).remove("removed");
  device.send({ type: "listen", state: "start", mode: "manual" });
  expect(await device.closed).toEqual({ code: 4005, reason: "unregistered" });
}, 30_000);

test("a presence that NATS refuses: its session is closed, and the device may return", async () => {
  const gateway = await gateways.start();
  const { config } = await gateways.nats.callApi("STREAM.INFO.KV_voxbus_presence");
  await gateways.nats.callApi("STREAM.UPDATE.KV_voxbus_presence", { ...(config as object), max_msg_size: 120 });
  const device = await gateways.open(gateway, { id: "refused" });
  expect(await device.closed).toEqual({ code: 4005, reason: "unregistered" });
}, 30_000);
