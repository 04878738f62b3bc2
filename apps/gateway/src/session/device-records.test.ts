import type { Bus } from "@voxbus/bus";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { buckets, type DeviceRecord, type GatewayLease, type Presence } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { createDeviceRecords, type DeviceRecords } from "./device-records.ts";

let nats: NatsServer;
let bus: Bus;
const kept: DeviceRecords[] = [];

/** The time of the records that `keep` creates. */
let now = Date.now();

const keep = (refreshMs?: number): DeviceRecords => {
  const options = refreshMs === undefined ? { now: () => now } : { refreshMs };
  const records = createDeviceRecords(bus, silentLog, options);
  kept.push(records);
  return records;
};
const read = async (device: string) => (await bus.bucket(buckets.devices).get(device))?.value;
const until = (device: string, match: (record: DeviceRecord) => boolean): Promise<DeviceRecord> =>
  vi.waitFor(async () => {
    const record = await read(device);
    if (!record || !match(record)) throw new Error(`not yet: ${JSON.stringify(record)}`);
    return record;
  });
/** A session that is alive up to now. */
const session = (device: string, id: string, since = 0) => ({ device, id, since, lastSeen: now });
const presence = (gateway: string, epoch: string): Presence => ({
  term: 1,
  gateway,
  epoch,
  session: "s1",
  since: 0,
  remote: "",
  protocol: 1,
  features: {},
  state: "active",
});
const lease = (id: string, epoch: string, since: number) => {
  const value = { id, epoch, address: "", load: { connections: 0, speaking: 0 }, draining: false, since };
  return bus.bucket(buckets.gateways).put(id, value satisfies GatewayLease);
};

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await Promise.all(kept.map((records) => records.close()));
  await bus.close();
  await nats.stop();
});

it("record: tells when the device was seen, why it left, and how long it was online in all of its sessions", async () => {
  const records = keep();
  records.opened(session("plain", "s1"), undefined);
  const first = await until("plain", ({ session }) => session === "s1");
  expect(first).toMatchObject({ lastReason: "", totalOnline: 0 });
  now += 60;
  records.ended(session("plain", "s1", 0), "done");
  const second = await until("plain", ({ session }) => session === undefined);
  expect(second.lastReason).toBe("done");
  expect(second.totalOnline).toBe(second.lastSeen - first.lastSeen);
  expect(second.totalOnline).toBeGreaterThanOrEqual(50);
  // Another gateway, or this one after a restart, goes on with what is there.
  const others = keep();
  others.opened(session("plain", "s2"), undefined);
  others.ended(session("plain", "s2", 0), "gone");
  const third = await until("plain", ({ lastReason }) => lastReason === "gone");
  expect(third.totalOnline).toBeGreaterThanOrEqual(second.totalOnline);
  expect(third.totalOnline).toBeLessThan(second.totalOnline + 50);
});

it("a session too short for its presence to be written: counts too, but not over one that is open", async () => {
  const records = keep();
  records.ended(session("short", "s1", now - 40), "done");
  const first = await until("short", ({ lastReason }) => lastReason === "done");
  expect(first.totalOnline).toBeGreaterThanOrEqual(40);
  expect(first.totalOnline).toBeLessThan(5000);
  records.opened(session("short", "s3"), undefined);
  records.ended(session("short", "s2", now - 40), "replaced");
  const second = await until("short", ({ session }) => session === "s3");
  expect(second).toMatchObject({ lastReason: "done", totalOnline: first.totalOnline });
});

it("takeover: the time of the session that lost is counted once, by the one that won", async () => {
  await lease("living", "e1", 0);
  const [loser, winner] = [keep(), keep()];
  loser.opened(session("moving", "s1"), undefined);
  const before = await until("moving", ({ session }) => session === "s1");
  now += 30;
  winner.opened(session("moving", "s2"), presence("living", "e1"));
  const after = await until("moving", ({ session }) => session === "s2");
  expect(after).toMatchObject({ lastReason: "replaced", totalOnline: after.lastSeen - before.lastSeen });
  loser.ended(session("moving", "s1", 0), "replaced");
  loser.opened(session("marker", "s9"), undefined);
  await until("marker", () => true);
  expect(await read("moving")).toEqual(after);
});

it("a silent device: its session counts up to its last sign of life", async () => {
  const records = keep();
  records.opened(session("silent", "s1"), undefined);
  const { lastSeen } = await until("silent", () => true);
  const lastSign = lastSeen + 1000;
  records.ended({ ...session("silent", "s1"), lastSeen: lastSign }, "heartbeat_timeout");
  const ended = await until("silent", ({ lastReason }) => lastReason === "heartbeat_timeout");
  expect(ended).toMatchObject({ lastSeen: lastSign, totalOnline: 1000 });
});

it("a gateway that died: its session counts up to the gateway's last sign of life, or to when the record was written", async () => {
  const bucket = bus.bucket(buckets.devices);
  const open = { lastSeen: 1000, lastReason: "", totalOnline: 500, session: "s1" } satisfies DeviceRecord;
  await bucket.put("restarted", open);
  await bucket.put("vanished", open);
  await bucket.put("forgotten", open);
  await bucket.put("unknown", open);
  await lease("again", "e2", 90_000);
  const canaries = bus.bucket(buckets.canaries);
  await canaries.put("again", { epoch: "e2", at: 95_000, before: { epoch: "e1", at: 4000 } });
  await canaries.put("vanished", { epoch: "e1", at: 3000 });
  const records = keep();
  records.opened(session("restarted", "s2"), presence("again", "e1"));
  records.opened(session("vanished", "s2"), presence("vanished", "e1"));
  records.opened(session("forgotten", "s2"), presence("nobody", "e1"));
  records.opened(session("unknown", "s2"), undefined);
  const lost = { lastReason: "gateway_lost", session: "s2" };
  expect(await until("restarted", ({ session }) => session === "s2")).toMatchObject({ ...lost, totalOnline: 3500 });
  expect(await until("vanished", ({ session }) => session === "s2")).toMatchObject({ ...lost, totalOnline: 2500 });
  for (const device of ["forgotten", "unknown"]) {
    expect(await until(device, ({ session }) => session === "s2")).toMatchObject({ ...lost, totalOnline: 500 });
  }
});

it("first seen: is when the first session began, and older records do not get one", async () => {
  const records = keep();
  records.opened(session("fresh", "s1"), undefined);
  const began = now;
  now += 10;
  records.opened(session("fresh", "s2"), undefined);
  expect(await until("fresh", ({ session }) => session === "s2")).toMatchObject({ firstSeen: began });
  records.ended(session("brief", "s3", now - 40), "done");
  expect(await until("brief", () => true)).toMatchObject({ firstSeen: now - 40, lastReason: "done" });
  await bus.bucket(buckets.devices).put("older", { lastSeen: 5, lastReason: "gone", totalOnline: 1 });
  records.opened(session("older", "s1"), undefined);
  expect(await until("older", ({ session }) => session === "s1")).not.toHaveProperty("firstSeen");
});

it("reports of firmware: the newest is written once, beside what else changes, and none that says nothing new", async () => {
  const records = keep();
  const bucket = bus.bucket(buckets.devices);
  for (let n = 0; n < 1000; n += 1) records.reported("chatty", { firmware: `1.${n}`, board: "lamp" });
  const first = await until("chatty", ({ firmware }) => firmware === "1.999");
  expect(first).toEqual({ lastSeen: 0, lastReason: "", totalOnline: 0, firmware: "1.999", board: "lamp" });
  const { revision } = (await bucket.get("chatty"))!;
  records.reported("chatty", { firmware: "1.999" });
  records.reported("chatty", {});
  records.opened(session("chatty", "s1"), undefined);
  expect(await until("chatty", ({ session }) => session === "s1")).toMatchObject({ board: "lamp", firstSeen: now });
  const after = (await bucket.get("chatty"))!;
  // Other tests write to the bucket too.
  expect(after.revision).toBeGreaterThan(revision);
  records.ended(session("chatty", "s1"), "gone");
  expect(await until("chatty", ({ lastReason }) => lastReason === "gone")).toMatchObject({ firmware: "1.999" });
});

it("reports of firmware: those of more devices than fit wait for the next start of the device", async () => {
  const records = createDeviceRecords(bus, silentLog, { mostReports: 50 });
  kept.push(records);
  for (let n = 0; n < 1000; n += 1) records.reported(`many-${n}`, { firmware: "1.0" });
  records.reported("many-20", { firmware: "2.0" });
  await until("many-20", ({ firmware }) => firmware === "2.0");
  await until("many-65", ({ firmware }) => firmware === "1.0");
  // The first 16 were being written at once, and 50 waited.
  expect(await read("many-66")).toBeUndefined();
  expect(await read("many-999")).toBeUndefined();
  records.reported("many-999", { firmware: "1.0" });
  await until("many-999", ({ firmware }) => firmware === "1.0");
});

it("a device that stays: its record is brought up to date", async () => {
  const records = keep(50);
  const staying = {
    ...session("staying", "s1"),
    get lastSeen() {
      return Date.now();
    },
  };
  records.opened(staying, undefined);
  const { lastSeen } = await until("staying", ({ totalOnline }) => totalOnline > 100);
  expect(Date.now() - lastSeen).toBeLessThan(5000);
});

it("a storm of 2,000 disconnects: is written in a queue, each one, while the bus goes on answering at once", async () => {
  const records = keep();
  const devices = Array.from({ length: 2000 }, (_, n) => `storm-${n}`);
  for (const device of devices) records.opened(session(device, `s-${device}`), undefined);
  for (const device of devices) records.ended(session(device, `s-${device}`, 0), "gone");
  const began = performance.now();
  await bus.flush();
  expect(performance.now() - began).toBeLessThan(1000);
  const view = await bus.bucket(buckets.devices).watch();
  await vi.waitFor(
    () => {
      const left = devices.filter((device) => view.entries.get(device)?.value?.lastReason !== "gone");
      expect(left).toHaveLength(0);
    },
    { timeout: 20_000 },
  );
  view.close();
}, 30_000);

it("gives up the record of a new device when the bucket is full, and goes on with the others", async () => {
  const sizes = { VOXBUS_DEVICE_IN_MB: 16, VOXBUS_TURNS_MB: 16, VOXBUS_BUCKETS_MB: 16 };
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const small = await connectTestBus(server.url, { config: sizes });
  const records = createDeviceRecords(small, silentLog);
  const bucket = small.bucket(buckets.devices);
  await bucket.put("known", { lastSeen: 1, lastReason: "r".repeat(200), totalOnline: 0, session: "s0" });
  const other = { lastSeen: 1, lastReason: "r".repeat(1000), totalOnline: 0 };
  const filled = await Promise.allSettled(Array.from({ length: 2000 }, (_, n) => bucket.put(`other-${n}`, other)));
  expect(filled.at(-1)?.status).toBe("rejected");
  const open = (device: string, id: string) => records.opened({ device, id, since: 2, lastSeen: 2 }, undefined);
  // More than are written at once.
  for (let n = 0; n < 40; n += 1) open(`new-${n}-${"x".repeat(50)}`, `s${n}`);
  open("known", "s1");
  await vi.waitFor(async () => expect((await bucket.get("known"))?.value).toMatchObject({ session: "s1" }));
  await records.close();
  await small.close();
});
