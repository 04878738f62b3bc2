import { buckets, channels } from "@voxbus/protocol";
import { silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { DeniedError } from "../errors.ts";
import { connectOwnBus } from "../test-bus.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer({
    config: `authorization { users: [
      { user: all, password: a }
      { user: some, password: a, permissions {
        publish: ["stats.some", "$JS.API.STREAM.INFO.voxbus_TURNS", "$JS.API.STREAM.INFO.KV_voxbus_profiles"]
        subscribe: ["_INBOX.some.>", "device.*.out"]
      } }
      { user: none, password: a, permissions { publish: ["stats.none"], subscribe: ["device.*.out"] } }
    ] }`,
  });
});
afterAll(() => server.stop());

async function connectAs(name: string, streams?: readonly []) {
  const warnings: Record<string, unknown>[] = [];
  const warn = (fields: object, message: string) => void warnings.push({ ...fields, message });
  const config = { VOXBUS_NATS_USER: name, VOXBUS_NATS_PASSWORD: "a" };
  const bus = await connectOwnBus(server.url, {
    name,
    config,
    log: { ...silentLog, warn },
    signal: AbortSignal.timeout(5000),
    ...(streams && { streams }),
  });
  return { bus, warnings };
}

test("denied: a stream that is missing and may not be created stops the program with a sentence", async () => {
  await expect(connectAs("some")).rejects.toThrow(
    /^the stream \w+ cannot be looked up or created: NATS does not permit this program to publish on \$JS\.API\.STREAM\.\w+\.\w+$/,
  );
});

test("denied: a program without JetStream runs, and what it may not do is logged by subject and counted", async () => {
  const { bus, warnings } = await connectAs("none", []);
  const body = { type: "alert", status: "", message: "hello", emotion: "neutral" } as const;
  for (let n = 0; n < 3; n++) bus.publish(channels.out("d1"), { kind: "text", body });
  bus.subscribe(channels.event("*"), () => undefined);
  await bus.flush();
  await vi.waitFor(() => expect(bus.stats().denied).toBe(4));
  const message = "NATS permission denied";
  expect(warnings).toEqual([
    { operation: "publish", subject: "device.d1.out", suppressed: 0, message },
    { operation: "subscription", subject: "device.*.event", suppressed: 2, message },
  ]);
  expect(bus.connected()).toBe(true);
  await bus.close();
});

test("denied: what a program may not tell of itself is tried and logged once, and again after a reconnect", async () => {
  const { bus, warnings } = await connectAs("none", []);
  const tell = async () => {
    bus.publish(channels.error("none"), { at: 1, subject: "s", reason: "r", count: 1 });
    await bus.flush();
  };
  await tell();
  await vi.waitFor(() => expect(bus.stats().denied).toBe(1), 10_000);
  for (let n = 0; n < 3; n += 1) await tell();
  // It would have been denied before this is.
  bus.subscribe(channels.event("*"), () => undefined);
  await vi.waitFor(() => expect(warnings).toHaveLength(2), 10_000);
  expect(bus.stats().denied).toBe(2);
  expect(warnings[0]).toMatchObject({ operation: "publish", subject: "error.none", suppressed: 0 });
  await server.restart();
  await vi.waitFor(() => expect(bus.connected() && bus.stats().reconnects).toBe(1), 10_000);
  await tell();
  await vi.waitFor(() => expect(bus.stats().denied).toBe(3), 10_000);
  await bus.close();
});

test("denied: stores, requests, claims and watches fail at once instead of being tried again", async () => {
  const all = await connectAs("all");
  const { bus } = await connectAs("some", []);
  const startedAt = performance.now();
  const heard = { session: "s1", listen: 1, utterance: 1, from: 1, origin: 1, text: "hello", language: "en" };
  await expect(bus.store(channels.heard("d1"), heard)).rejects.toThrow(DeniedError);
  await expect(bus.request(channels.replay("g1"), { session: "s1", from: 1 })).rejects.toThrow(DeniedError);
  await expect(bus.bucket(buckets.profiles).get("d1")).rejects.toThrow(DeniedError);
  await expect(bus.bucket(buckets.profiles).watch()).rejects.toThrow(DeniedError);
  const claiming = bus.claim({ channel: channels.heard("*"), durable: "some", slots: 1, work: async () => {} });
  await expect(claiming).rejects.toThrow("the consumer voxbus_some of voxbus_TURNS cannot be created");
  expect(performance.now() - startedAt).toBeLessThan(2000);
  await Promise.all([bus.close(), all.bus.close()]);
});
