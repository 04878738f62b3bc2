import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ConflictError, type Bus } from "../bus.ts";
import { connectBus } from "../connect.ts";
import { startNatsServer, type NatsServer } from "@voxbus/testing";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
let server: NatsServer;
let bus: Bus;

const connect = (): Promise<Bus> => connectBus({ VOXBUS_NATS_URL: server.url, VOXBUS_NATS_REPLICAS: 1 }, log);

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connect();
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});

test("bucket: a watch fills, follows, and starts over when its bucket was purged", async () => {
  const bucket = bus.bucket("devices");
  await Promise.all(Array.from({ length: 500 }, (_, n) => bucket.put(`k${n}`, { n })));
  const changes: string[] = [];
  const watch = await bucket.watch((key, entry) => changes.push(`${key} ${entry === undefined ? "gone" : "set"}`));
  expect(watch.entries.size).toBe(500);
  expect(changes).toHaveLength(500);
  changes.length = 0;
  await bucket.put("k1", { n: -1 });
  await bucket.remove("k2");
  await vi.waitFor(() => expect(changes).toEqual(["k1 set", "k2 gone"]));
  changes.length = 0;
  await server.callApi("STREAM.PURGE.KV_devices");
  await bucket.put("after", {});
  await vi.waitFor(() => expect([...watch.entries.keys()]).toEqual(["after"]), { timeout: 5000 });
  expect(changes.filter((change) => change.endsWith("gone"))).toHaveLength(499);
  watch.close();
});

test("bucket: a compare-and-set on an absent or removed key wants revision 0", async () => {
  const bucket = bus.bucket("dialogues");
  const first = await bucket.update("d", { n: 1 }, 0);
  await expect(bucket.update("d", { n: 2 }, 0)).rejects.toThrow(ConflictError);
  await expect(bucket.remove("d", first + 1)).rejects.toThrow(ConflictError);
  await bucket.remove("d", first);
  expect(await bucket.get("d")).toBeUndefined();
  await bucket.update("d", { n: 3 }, 0);
  expect(await bucket.get("d")).toMatchObject({ value: { n: 3 } });
});

test("bucket: a value that is no JSON is read as one that fits nothing, and can be written over", async () => {
  const bucket = bus.bucket("devices");
  bus.publish("$KV.devices.odd", new TextEncoder().encode('{"cut'));
  const odd = await vi.waitFor(async () => {
    const entry = await bucket.get("odd");
    if (entry === undefined) throw new Error("not stored yet");
    return entry;
  });
  expect(odd.value).toBeUndefined();
  await bucket.update("odd", { n: 1 }, odd.revision);
  expect(await bucket.get("odd")).toMatchObject({ value: { n: 1 } });
});

test("bucket: keys are listed by prefix; one with a time to live is gone after it", async () => {
  const bucket = bus.bucket("dialogues");
  await bucket.put("=list.a.1", {});
  await bucket.put("=list.a.2", {}, { ttlMs: 1000 });
  await bucket.put("=list.ab.1", {});
  expect([...(await bucket.keys("=list.a"))].toSorted()).toEqual(["=list.a.1", "=list.a.2"]);
  await vi.waitFor(async () => expect(await bucket.keys("=list.a")).toEqual(["=list.a.1"]), { timeout: 5000 });
});

test("bucket: a watch of keys that change all the time is not opened anew", async () => {
  const bucket = bus.bucket("presence");
  const watch = await bucket.watch();
  const created = async () =>
    (((await server.callApi("CONSUMER.NAMES.KV_presence"))["consumers"] ?? []) as string[]).toSorted();
  const before = await created();
  for (const until = performance.now() + 7000; performance.now() < until;) {
    await Promise.all(Array.from({ length: 20 }, (_, n) => bucket.put(`moving${n}`, {})));
  }
  expect(await created()).toEqual(before);
  watch.close();
  await vi.waitFor(async () => expect(await created()).toEqual([]));
}, 15_000);
