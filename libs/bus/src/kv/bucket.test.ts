import { connect } from "@nats-io/transport-node";
import { buckets, channels } from "@voxbus/protocol";
import { loose, type NatsServer, startNatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bus } from "../bus.ts";
import { ConflictError } from "../errors.ts";
import { connectOwnBus } from "../test-bus.ts";

const warnings: object[] = [];
const log = { info: () => undefined, warn: (fields: object) => void warnings.push(fields), error: () => undefined };
let server: NatsServer;
let bus: Bus;

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connectOwnBus(server.url, { log });
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});

const record = (lastSeen: number) => ({ lastSeen, lastReason: "", totalOnline: 0 });

test("bucket: a watch fills, follows changes, and starts over after a purge", async () => {
  const bucket = bus.bucket(buckets.devices);
  await Promise.all(Array.from({ length: 500 }, (_, n) => bucket.put(`k${n}`, record(n))));
  const changes: string[] = [];
  const watch = await bucket.watch((id, entry) => changes.push(`${id} ${entry === undefined ? "gone" : "set"}`));
  expect(watch.entries.size).toBe(500);
  expect(changes).toHaveLength(500);
  changes.length = 0;
  await bucket.put("k1", record(1));
  await bucket.remove("k2");
  await vi.waitFor(() => expect(changes).toEqual(["k1 set", "k2 gone"]));
  changes.length = 0;
  await server.callApi("STREAM.PURGE.KV_voxbus_devices");
  await bucket.put("after", record(0));
  await vi.waitFor(() => expect([...watch.entries.keys()]).toEqual(["after"]), { timeout: 5000 });
  expect(changes.filter((change) => change.endsWith("gone"))).toHaveLength(499);
  watch.close();
});

test("bucket: a compare-and-set on an absent or removed entry needs revision 0", async () => {
  const bucket = bus.bucket(buckets.devices);
  const first = await bucket.update("d", record(1), 0);
  await expect(bucket.update("d", record(2), 0)).rejects.toThrow(ConflictError);
  await expect(bucket.remove("d", first + 1)).rejects.toThrow(ConflictError);
  await bucket.remove("d", first);
  expect(await bucket.get("d")).toBeUndefined();
  await bucket.update("d", record(3), 0);
  expect(await bucket.get("d")).toMatchObject({ value: record(3) });
});

test.each([
  ["not JSON", "odd-json", '{"cut'],
  ["of another shape", "odd-shape", '{"lastSeen":"yesterday"}'],
])("bucket: a value that is %s is read as undefined, logged, and can be written over", async (_what, id, text) => {
  const bucket = bus.bucket(buckets.devices);
  warnings.length = 0;
  const { revision: before } = (await bucket.get(id)) ?? { revision: 0 };
  bus.publish(loose({ ...channels.out(), subject: `$KV.voxbus_devices.${id}` }), new TextEncoder().encode(text));
  const odd = await vi.waitFor(async () => {
    const entry = await bucket.get(id);
    if (entry === undefined || entry.revision === before) throw new Error("not stored yet");
    return entry;
  });
  expect(odd.value).toBeUndefined();
  expect(warnings).toContainEqual(expect.objectContaining({ subject: `$KV.voxbus_devices.${id}` }));
  await bucket.update(id, record(1), odd.revision);
  expect(await bucket.get(id)).toMatchObject({ value: record(1) });
});

test("bucket: an entry that was put with a lifetime of its own expires", async () => {
  const bucket = bus.bucket(buckets.devices);
  await bucket.put("short", record(1), { ttlMs: 1000 });
  expect(await bucket.get("short")).toMatchObject({ value: record(1) });
  await expect.poll(() => bucket.get("short"), { timeout: 10_000 }).toBeUndefined();
});

test("bucket: ids are listed by prefix", async () => {
  const bucket = bus.bucket(buckets.reminders);
  const reminder = { device: "a:b", text: "tea", dueAt: 1 };
  for (const id of ["a:b.s-1-1", "a:b.s-1-2", "a:bc.s-1-1"]) await bucket.put(id, reminder);
  expect([...(await bucket.ids("a:b"))].toSorted()).toEqual(["a:b.s-1-1", "a:b.s-1-2"]);
  expect(await bucket.ids()).toHaveLength(3);
});

test("bucket: modify loses no change to simultaneous writers, and leaves the entry as it is for undefined", async () => {
  const bucket = bus.bucket(buckets.devices);
  await Promise.all(
    Array.from({ length: 5 }, () =>
      bucket.modify("shared", (value) => ({ ...record(1), totalOnline: (value?.totalOnline ?? 0) + 1 })),
    ),
  );
  const written = await bucket.get("shared");
  expect(written?.value?.totalOnline).toBe(5);
  await bucket.modify("shared", () => undefined);
  expect((await bucket.get("shared"))?.revision).toBe(written?.revision);
});

test("bucket: a watch of constantly changing entries is not opened again", async () => {
  const bucket = bus.bucket(buckets.devices);
  const watch = await bucket.watch();
  const created = async () =>
    (((await server.callApi("CONSUMER.NAMES.KV_voxbus_devices"))["consumers"] ?? []) as string[]).toSorted();
  const before = await created();
  const observer = await connect({ servers: server.url });
  const checks = observer.subscribe("$JS.API.STREAM.INFO.KV_voxbus_devices", { callback: () => undefined });
  // The second check is the first that can find the watch behind.
  while (checks.getReceived() < 3) {
    await Promise.all(Array.from({ length: 20 }, (_, n) => bucket.put(`moving${n}`, record(0))));
  }
  expect(await created()).toEqual(before);
  await observer.close();
  watch.close();
  await vi.waitFor(async () => expect(await created()).toEqual([]));
}, 20_000);
