import { connect, type NatsConnection } from "@nats-io/transport-node";
import { channels, encodeEnvelope, type BadMessage, type Stats } from "@voxbus/protocol";
import { createInbox, startNatsServer, type Inbox, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import type { Bus } from "../bus.ts";
import { connectOwnBus } from "../test-bus.ts";

let server: NatsServer;
let client: NatsConnection;
let watcher: Bus;
let bus: Bus;
let errors: Inbox<BadMessage>;
beforeAll(async () => {
  server = await startNatsServer();
  client = await connect({ servers: server.url });
  watcher = await connectOwnBus(server.url, { name: "watcher" });
});
beforeEach(async () => {
  bus = await connectOwnBus(server.url, { name: "reader" });
  errors = createInbox();
  const watch = watcher.subscribe(channels.error("reader"), (message) => errors.put(message));
  await watcher.flush();
  return async () => {
    watch.close();
    await bus.close();
  };
});
afterAll(async () => {
  await client.close();
  await watcher.close();
  await server.stop();
});

const send = (subject: string, envelope: object) => client.publish(subject, encodeEnvelope(z.any(), envelope));
const text = { session: "s1", seq: 1, at: 1, kind: "text", body: "my secret" };

test("error events: name the subject, the reason, the field and its limit, and not its value", async () => {
  bus.subscribe(channels.inText("d1"), () => undefined);
  await bus.flush();
  send("device.d1.in.text", { ...text, seq: "my secret" });
  const error = await errors.find(() => true);
  expect(error).toEqual({
    at: expect.any(Number),
    subject: "device.d1.in.text",
    reason: "bad-envelope",
    field: "seq",
    limit: expect.stringContaining("expected number"),
    count: 1,
    publisher: "session s1",
  });
  expect(JSON.stringify(error)).not.toContain("secret");
  expect(bus.badMessages()).toEqual([error]);
});

test("error events: a text that is too long is named with its limit", async () => {
  bus.subscribe(channels.inText("d2"), () => undefined);
  await bus.flush();
  send("device.d2.in.text", { ...text, body: "x".repeat(5000) });
  expect(await errors.find(() => true)).toMatchObject({ field: "body", limit: expect.stringContaining("4096") });
});

test("error events: the publisher of a text that is not UTF-8 is named", async () => {
  bus.subscribe(channels.inText("d7"), () => undefined);
  await bus.flush();
  const data = Buffer.from(encodeEnvelope(z.any(), { ...text, body: "my secret" }));
  data[data.indexOf("my secret")] = 0xff;
  client.publish("device.d7.in.text", data);
  expect(await errors.find(() => true)).toMatchObject({
    reason: "bad-envelope",
    limit: "the message holds a text that is not UTF-8",
    publisher: "session s1",
  });
});

test.each([
  ["stats.other", { program: "asr", instance: "I1" }, "asr I1"],
  ["stats.other", { program: "asr" }, "asr"],
  ["stats.other", { program: "my secret", instance: "I1" }, undefined],
  ["device.d3.event", { session: "s1", gateway: "g1" }, "gateway g1"],
  ["device.d3.heard", { session: "s1" }, undefined],
  ["device.d3.heard", { v: 2, gateway: "g1" }, "gateway g1"],
])("error events: the publisher on %s of %j is %s", async (subject, envelope, publisher) => {
  const channel = { ...channels.event("d3"), subject };
  bus.subscribe(channel, () => undefined);
  await bus.flush();
  send(subject, envelope);
  const error = await errors.find(() => true);
  expect(error.publisher).toBe(publisher);
});

test.each([
  ["a byte that is no message", [0xc1], "the message is not MessagePack"],
  ["a message that is empty", [], "the message is empty"],
])("error events: %s has no publisher, and is told nevertheless", async (_what, bytes, limit) => {
  bus.subscribe(channels.inText("d4"), () => undefined);
  await bus.flush();
  client.publish("device.d4.in.text", Uint8Array.from(bytes));
  const error = await errors.find(() => true);
  expect(error).toMatchObject({ field: "envelope", reason: "bad-envelope", limit });
  expect(error).not.toHaveProperty("publisher");
});

test("error events: a flood is told a few times a minute, and hides no message of another kind", async () => {
  bus.subscribe(channels.inText(), () => undefined);
  bus.subscribe(channels.heard(), () => undefined);
  await bus.flush();
  send("device.quiet.heard", { ...text, seq: 0 });
  await errors.find(({ subject }) => subject === "device.quiet.heard");
  for (let n = 0; n < 1000; n += 1) send(`device.flood-${n % 20}.in.text`, { ...text, seq: 0 });
  await client.flush();
  // The last one is not limited.
  await expect.poll(() => bus.stats().drops["bad-envelope"], { timeout: 10_000 }).toBe(1001);
  send("device.flood-1.heard", { ...text, seq: 0 });
  await errors.find(({ subject }) => subject === "device.flood-1.heard");
  await bus.flush();
  await watcher.flush();
  expect(errors.items).toHaveLength(5);
  expect(new Set(errors.items.map(({ subject }) => subject)).size).toBe(5);
  const recent = bus.badMessages().map(({ subject }) => subject);
  expect(recent).toContain("device.quiet.heard");
  expect(recent).toHaveLength(16);
});

test("error events: the publisher of a message whose handler failed is named, and the limit of one that was dropped", async () => {
  bus.subscribe(channels.inText("d5"), () => {
    throw new Error("broken");
  });
  await bus.flush();
  send("device.d5.in.text", text);
  expect(await errors.find(() => true)).toMatchObject({ reason: "handler-failed", publisher: "session s1" });
  bus.drop("device.d6.in.text", "too-old", { limit: "at most 60000 ms old", message: { session: "s2" } });
  const dropped = await errors.find(({ subject }) => subject === "device.d6.in.text");
  expect(dropped).toMatchObject({ reason: "too-old", limit: "at most 60000 ms old", publisher: "session s2" });
});

test("error events: a malformed one, or a failed handler of one, causes no other", async () => {
  bus.subscribe(channels.error(), (): void => {
    throw new Error("broken");
  });
  bus.subscribe(channels.stats("x"), () => undefined);
  await bus.flush();
  send("error.other", { at: 1, subject: "s", reason: "r", count: 1 });
  send("error.other", { at: "never" });
  send("stats.x", {} satisfies Partial<Stats>);
  await errors.find(({ subject }) => subject === "stats.x");
  await expect.poll(() => bus.stats().drops).toEqual({ "bad-envelope": 2, "handler-failed": 2 });
  await bus.flush();
  await watcher.flush();
  expect(errors.items.map(({ subject }) => subject)).toEqual(["stats.x"]);
});
