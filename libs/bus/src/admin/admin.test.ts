import { jetstreamManager, jetstream } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { buckets, channels } from "@voxbus/protocol";
import { silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Bus } from "../bus.ts";
import { CopyError } from "../errors.ts";
import { connectOwnBus } from "../test-bus.ts";
import { connectAdmin, type Admin } from "./admin.ts";

let server: NatsServer;
let bus: Bus;
let nc: NatsConnection;
let admin: Admin;

const connectOwnAdmin = () => connectAdmin({ VOXBUS_NATS_URL: server.url, name: "cli" }, silentLog);

beforeEach(async () => {
  server = await startNatsServer();
  bus = await connectOwnBus(server.url);
  nc = await connect({ servers: server.url });
  admin = await connectOwnAdmin();
});
afterEach(async () => {
  await Promise.all([admin.close(), bus.close(), nc.close()]);
  await server.stop();
});

/** Copies a stream or bucket into memory. */
async function copyAll(name: Parameters<Admin["copy"]>[0]) {
  const pieces: Uint8Array[] = [];
  const copy = await admin.copy(name, async (piece) => void pieces.push(piece));
  return { copy: copy!, pieces };
}

async function* give(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

test("admin: it tells the state of every stream and bucket, and changes none", async () => {
  const jsm = await jetstreamManager(nc);
  await jsm.streams.update("voxbus_TURNS", { max_bytes: 99_000_000 });
  await jsm.streams.update("KV_voxbus_profiles", { max_msgs_per_subject: 2, deny_delete: true });
  await jsm.streams.delete("KV_voxbus_reminders");
  await jsm.streams.delete("KV_voxbus_naks");
  await jsm.streams.add({ name: "KV_voxbus_naks", subjects: ["shop.>"] });
  const states = new Map((await admin.streams()).map((one) => [one.name, one]));
  expect(states.get("TURNS")).toMatchObject({ state: "ok", kept: ["max_bytes"], maxBytes: 99_000_000 });
  expect(states.get("DEVICE_IN")).toMatchObject({ state: "ok", kept: [], fields: [] });
  expect(states.get("reminders")).toMatchObject({ state: "missing" });
  expect(states.get("naks")).toMatchObject({ state: "foreign" });
  await expect(jsm.streams.info("KV_voxbus_reminders")).rejects.toThrow("not found");
  expect(Math.abs(admin.aheadMs()!)).toBeLessThan(1000);
  expect(admin.server()).toMatchObject({ jetStream: true, address: server.url.replace("nats://", "") });
  expect(await admin.account()).toMatchObject({ maxStorage: -1 });
});

test("admin: a setting that the programs rely on and that somebody changed is named", async () => {
  const jsm = await jetstreamManager(nc);
  await jsm.streams.update("voxbus_TURNS", { allow_direct: false });
  const turns = (await admin.streams()).find(({ name }) => name === "TURNS");
  expect(turns).toMatchObject({ state: "differs", fields: ["allow_direct"] });
});

test("admin: a server that hangs is told apart, within the time limit of a request", async () => {
  server.kill("SIGSTOP");
  const asked = [admin.account(), admin.denied(["fleet.out"])].map((answer) => expect(answer).rejects.toThrow());
  const states = await admin.streams();
  expect(new Set(states.map(({ state }) => state))).toEqual(new Set(["unanswered"]));
  await Promise.all(asked);
  server.kill("SIGCONT");
});

test("copy and restore: a bucket comes back with its entries and their revisions", async () => {
  const profiles = bus.bucket(buckets.profiles);
  for (let n = 0; n < 300; n += 1) await profiles.put(`d${n}`, { prompt: "p".repeat(4000), language: "en" });
  const before = await profiles.get("d7");
  const { copy, pieces } = await copyAll("profiles");
  expect(copy.state.messages).toBe(300);
  expect(pieces.every(({ byteLength }) => byteLength <= 131_072)).toBe(true);
  await admin.remove("profiles");
  await admin.remove("profiles");
  await admin.restore("profiles", copy, give(pieces));
  expect(await profiles.get("d7")).toEqual(before);
  expect(await profiles.ids()).toHaveLength(300);
  expect((await admin.streams()).find(({ name }) => name === "profiles")).toMatchObject({ state: "ok", kept: [] });
});

test("copy and restore: a stream comes back without a republication, and its consumers go on where they were", async () => {
  const transcript = (origin: number) => ({
    session: "s",
    utterance: origin,
    origin,
    final: true,
    text: "Hi.",
    from: 1,
    listen: 1,
  });
  const store = (origin: number) =>
    bus.store(channels.heard("kitchen"), { ...transcript(origin), language: "en" }, { id: `s:${origin}` });
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc);
  await jsm.consumers.add("voxbus_TURNS", { durable_name: "voxbus_reader", ack_policy: "explicit" });
  await store(1);
  await store(2);
  const reader = await js.consumers.get("voxbus_TURNS", "voxbus_reader");
  const first = await reader.next();
  await first!.ackAck();
  const { copy, pieces } = await copyAll("TURNS");
  await admin.remove("TURNS");
  const again: string[] = [];
  nc.subscribe("stored.>", { callback: (_error, { subject }) => void again.push(subject) });
  await admin.restore("TURNS", copy, give(pieces));
  const next = await (await js.consumers.get("voxbus_TURNS", "voxbus_reader")).next();
  expect([next!.seq, next!.redelivered]).toEqual([2, false]);
  await nc.flush();
  expect(again).toEqual([]);
});

test("restore: into a stream that exists it is refused, and the stream stays as it is", async () => {
  await bus.bucket(buckets.profiles).put("d1", { language: "en" });
  const { copy, pieces } = await copyAll("profiles");
  await bus.bucket(buckets.profiles).put("d1", { language: "de" });
  await expect(admin.restore("profiles", copy, give(pieces))).rejects.toThrow(CopyError);
  expect((await bus.bucket(buckets.profiles).get("d1"))?.value?.own).toEqual({ language: "de" });
});

test("restore: pieces that are no copy are refused with the reason", async () => {
  const { copy } = await copyAll("profiles");
  await admin.remove("profiles");
  await expect(admin.restore("profiles", copy, give([Buffer.from("nonsense")]))).rejects.toThrow(
    /profiles was not restored/,
  );
});

test("copy: a missing bucket gives nothing, and the signal ends a copy", async () => {
  await admin.remove("profiles");
  expect(await admin.copy("profiles", async () => undefined)).toBeUndefined();
  const stop = new AbortController();
  await bus.bucket(buckets.devices).put("d1", { lastSeen: 1, lastReason: "gone", totalOnline: 1 });
  const copying = admin.copy("devices", async () => stop.abort(new Error("enough")), stop.signal);
  await expect(copying).rejects.toThrow("enough");
});
