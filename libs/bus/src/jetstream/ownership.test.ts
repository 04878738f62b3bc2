import { jetstreamManager, type JetStreamManager, type StreamConfig } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { buckets, channels } from "@voxbus/protocol";
import { silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Bus } from "../bus.ts";
import { BusAwayError } from "../errors.ts";
import { connectOwnBus } from "../test-bus.ts";

const hour = 3600 * 1e9;
const megabyte = 1024 ** 2;
const small = { VOXBUS_DEVICE_IN_MB: 16, VOXBUS_TURNS_MB: 16, VOXBUS_BUCKETS_MB: 16 };

let server: NatsServer;
let nc: NatsConnection;
let jsm: JetStreamManager;
let open: Bus[] = [];

beforeEach(async () => {
  server = await startNatsServer();
  nc = await connect({ servers: server.url });
  jsm = await jetstreamManager(nc);
});
afterEach(async () => {
  await Promise.all(open.map((bus) => bus.close()));
  open = [];
  await nc.close();
  await server.stop();
});

const start = async (config: Parameters<typeof connectOwnBus>[1] = {}): Promise<Bus> => {
  const bus = await connectOwnBus(server.url, config);
  open.push(bus);
  return bus;
};
const configOf = async (stream: string): Promise<StreamConfig> => (await jsm.streams.info(stream)).config;
const edit = (stream: string, changes: Partial<StreamConfig>) => jsm.streams.update(stream, changes);

test("ownership: the bucket of another application with a name of ours keeps its messages and its history", async () => {
  const bucket = await new Kvm(nc).create("profiles", { history: 10 });
  for (const value of ["a", "b", "c"]) await bucket.put("theme", value);
  for (const key of ["x", "y", "z"]) await bucket.put(key, key);
  const before = await jsm.streams.info("KV_profiles");
  const bus = await start();
  await bus.bucket(buckets.profiles).put("d1", { language: "en" });
  const after = await jsm.streams.info("KV_profiles");
  expect([after.config, after.state]).toEqual([before.config, before.state]);
});

test.each([
  ["a stream", { name: "voxbus_TURNS", subjects: ["shop.>"] }, "the stream voxbus_TURNS"],
  ["a bucket", { name: "KV_voxbus_profiles", subjects: ["$KV.voxbus_profiles.>"] }, "the bucket voxbus_profiles"],
  ["a stream of our own subjects", { name: "audit", subjects: ["device.>"] }, "the stream audit"],
  ["a stream of some of our subjects", { name: "text", subjects: ["device.*.in.text"] }, "the stream text"],
])("ownership: %s that we did not create stops the start by name, and stays as it is", async (_what, given, named) => {
  await jsm.streams.add({ ...given, max_msgs_per_subject: 10 });
  const before = await configOf(given.name);
  const error = await start().catch((cause: unknown) => cause as Error);
  expect((error as Error).message).toContain(named);
  expect((error as Error).message).toContain("VOXBUS_NATS_PREFIX");
  expect(await configOf(given.name)).toEqual(before);
});

test("ownership: a stream of others that stores our requests does not answer them", async () => {
  await jsm.streams.add({ name: "fleet-log", subjects: ["gateway.>", "stats.>", "alert.>", "fleet.>"] });
  const [bus, gateway] = [await start(), await start()];
  const ask = () => bus.request(channels.replay("g1"), { session: "s1", from: 1 }, { timeoutMs: 500 });
  await expect(ask()).rejects.toThrow(BusAwayError);
  gateway.respond(channels.replay("g1"), ({ session }) => ({ session, open: true, newest: 7, frames: [] }));
  await gateway.flush();
  expect((await ask()).newest).toBe(7);
});

test("ownership: a durable consumer that we did not create stops the claim by name, and stays as it is", async () => {
  const bus = await start();
  const foreign = { durable_name: "voxbus_tts", deliver_subject: "elsewhere", ack_policy: "none" as const };
  await jsm.consumers.add("voxbus_TURNS", foreign);
  const { config: before } = await jsm.consumers.info("voxbus_TURNS", "voxbus_tts");
  const claiming = bus.claim({ channel: channels.sayOpen("*"), durable: "tts", slots: 1, work: async () => {} });
  await expect(claiming).rejects.toThrow(/the consumer voxbus_tts of voxbus_TURNS has .*VOXBUS_NATS_PREFIX/);
  expect((await jsm.consumers.info("voxbus_TURNS", "voxbus_tts")).config).toEqual(before);
});

test.each([
  ["a stream", "voxbus_TURNS", { max_bytes: 300 * megabyte, max_age: 12 * hour, max_msgs_per_subject: 5000 }],
  ["a bucket", "KV_voxbus_profiles", { max_bytes: 99 * megabyte, max_msgs_per_subject: 20 }],
  ["a bucket without a limit", "KV_voxbus_dialogues", { max_bytes: -1 }],
  ["a bucket with a smaller one", "KV_voxbus_devices", { max_bytes: megabyte, max_age: 24 * hour }],
  ["a duplicate window", "voxbus_DEVICE_IN", { duplicate_window: 600 * 1e9 }],
])("ownership: an operator's own limits of %s outlast a start, also with variables", async (_what, name, limits) => {
  await start();
  const mine = { description: "ask the night shift", metadata: { team: "voice" }, max_msg_size: 1_000_000 };
  const { metadata } = await configOf(name);
  await edit(name, { ...limits, ...mine, metadata: { ...metadata, ...mine.metadata } });
  const lines: object[] = [];
  await start({ log: { ...silentLog, info: (fields) => void lines.push(fields) } });
  await start({ config: small });
  expect(await configOf(name)).toMatchObject({ ...limits, ...mine });
  expect(lines).toEqual([{ stream: name, limits: expect.objectContaining(limits) as object }]);
});

test("ownership: what the programs rely on is restored", async () => {
  await start();
  const before = await configOf("voxbus_TURNS");
  await edit("voxbus_TURNS", { subjects: ["device.*.heard"], allow_direct: false });
  await start();
  expect(await configOf("voxbus_TURNS")).toEqual(before);
});

test("ownership: a limit that an earlier version set by default is brought up to date, a variable's is kept", async () => {
  await start({ config: { VOXBUS_TURNS_MB: 200 } });
  const { metadata } = await configOf("voxbus_DEVICE_IN");
  const mark = JSON.stringify({ ...(JSON.parse(metadata?.["voxbus"] ?? "{}") as object), max_age: hour });
  await edit("voxbus_DEVICE_IN", { max_age: hour, metadata: { ...metadata, voxbus: mark } });
  await start();
  expect((await configOf("voxbus_DEVICE_IN")).max_age).toBe(6 * hour);
  expect((await configOf("voxbus_TURNS")).max_bytes).toBe(200 * megabyte);
  await start({ config: { VOXBUS_TURNS_MB: 128 } });
  expect((await configOf("voxbus_TURNS")).max_bytes).toBe(128 * megabyte);
});

test.each(["", "not JSON", "[]", '{"max_bytes":"many"}'])(
  "ownership: a stream that an operator marked by hand with %j is ours, with the operator's limits",
  async (voxbus) => {
    const given = { name: "voxbus_TURNS", subjects: ["device.*.heard"], max_bytes: 64 * megabyte };
    await jsm.streams.add({ ...given, metadata: { voxbus } });
    await start();
    const { max_bytes, subjects } = await configOf("voxbus_TURNS");
    expect([max_bytes, subjects.length]).toEqual([64 * megabyte, 3]);
  },
);

test("ownership: an operator's own limits of a durable consumer outlast a start, what claims rely on does not", async () => {
  const bus = await start();
  const claim = async () => {
    const claims = await bus.claim({ channel: channels.heard("*"), durable: "asked", slots: 1, work: async () => {} });
    await claims.drain(0);
  };
  await claim();
  const stream = "voxbus_TURNS";
  await jsm.consumers.update(stream, "voxbus_asked", { max_ack_pending: 7, ack_wait: 60e9, description: "mine" });
  await claim();
  const { config } = await jsm.consumers.info(stream, "voxbus_asked");
  expect(config).toMatchObject({ max_ack_pending: 7, ack_wait: 3e9, description: "mine" });
});
