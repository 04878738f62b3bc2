import { connect, type NatsConnection } from "@nats-io/transport-node";
import { buckets, channels, encodeEnvelope, stored, type Heard } from "@voxbus/protocol";
import { silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import type { Bus } from "./bus.ts";
import { connectOwnBus } from "./test-bus.ts";

const heard: Heard = { session: "s1", listen: 1, utterance: 1, from: 1, origin: 1, text: "hello", language: "en" };
const good = encodeEnvelope(z.any(), heard);
/** One message of each kind that does not decode, with the field that a warning names. */
const malformed = [
  { kind: "JSON", data: Buffer.from(JSON.stringify({ v: 1, ...heard })), field: "envelope" },
  { kind: "truncated", data: good.subarray(0, -1), field: "envelope" },
  { kind: "of a wrong type", data: encodeEnvelope(z.any(), { ...heard, text: 4711 }), field: "text" },
  { kind: "of a newer version", data: encodeEnvelope(z.any(), { ...heard, v: 2 }), field: "v" },
];

let server: NatsServer;
let client: NatsConnection;
let bus: Bus;
let warnings: object[];
beforeAll(async () => {
  server = await startNatsServer();
  client = await connect({ servers: server.url });
});
beforeEach(async () => {
  warnings = [];
  const log = { ...silentLog, warn: (fields: object) => void warnings.push(fields) };
  bus = await connectOwnBus(server.url, { log });
  return () => bus.close();
});
afterAll(async () => {
  await client.close();
  await server.stop();
});

test.each(malformed)(
  "stored: a message that is $kind is skipped, and its sequence is known",
  async ({ kind, data }) => {
    const channel = channels.heard(`skipped-${kind.replaceAll(" ", "-")}`);
    await bus.store(channel, { ...heard, origin: 7 });
    await client.request(channel.subject, data);
    const last = await bus.lastStored(channel);
    expect(last.message).toMatchObject({ origin: 7 });
    const all = await bus.stored(channel, 10);
    expect(all.messages.map(({ origin }) => origin)).toEqual([7]);
    expect(all.newest).toBe(last.newest);
    await bus.store(channel, { ...heard, origin: 8 }, { expected: last.newest });
    expect((await bus.lastStored(channel)).message).toMatchObject({ origin: 8 });
  },
);

test("stored: where no message decodes, a writer can still be the first", async () => {
  const channel = channels.heard("unreadable");
  for (const { data } of malformed) await client.request(channel.subject, data);
  const { message, newest } = await bus.lastStored(channel);
  expect(message).toBeUndefined();
  await bus.store(channel, heard, { expected: newest });
});

test.each(malformed)("drops: one that is $kind is logged by subject, reason and field, never by value", async (bad) => {
  const channel = channels.heard(`told-${bad.kind.replaceAll(" ", "-")}`);
  await client.request(channel.subject, bad.data);
  for (let read = 0; read < 5; read += 1) await bus.stored(channel, 10);
  const reason = bad.field === "v" ? "newer-version" : "bad-envelope";
  const limit = expect.any(String) as string;
  expect(warnings).toEqual([{ subject: channel.subject, reason, field: bad.field, limit, suppressed: 0 }]);
  expect(bus.stats().drops[reason]).toBe(5);
  expect(JSON.stringify(warnings)).not.toMatch(/hello|4711/);
});

const say = { reply: "r1", attempt: 1, text: "Hello.", last: false };
const odd = [
  [channels.sayOpen("odd"), 2, "Too big: expected number to be <=0"],
  [channels.say("odd"), 0, "Too small: expected number to be >=1"],
] as const;

test.each(odd)("say: on $pattern a reader skips the sentence %d by its field", async ({ pattern }, sentence, limit) => {
  const channel = pattern.endsWith(".open") ? channels.sayOpen("skip") : channels.say("skip");
  const got: number[] = [];
  bus.subscribe(stored(channel), (message) => void got.push(message.sentence));
  await bus.flush();
  const good = sentence === 0 ? 1 : 0;
  for (const one of [sentence, good])
    await client.request(channel.subject, encodeEnvelope(z.any(), { ...say, sentence: one }));
  await expect.poll(() => got).toEqual([good]);
  expect((await bus.stored(channel, 10)).messages).toMatchObject([{ sentence: good }]);
  expect(warnings).toContainEqual(expect.objectContaining({ reason: "bad-envelope", field: "sentence", limit }));
});

test("drops: one sender cannot fill the log", async () => {
  for (let n = 0; n < 30; n += 1) await client.request(channels.heard(`flood-${n}`).subject, malformed[0]!.data);
  for (let n = 0; n < 30; n += 1) await bus.stored(channels.heard(`flood-${n}`), 10);
  expect(warnings).toHaveLength(3);
  expect(bus.stats().drops["bad-envelope"]).toBe(30);
});

test.each([
  ["{}", "messages", "expected array"],
  ['{"messages":7}', "messages", "expected array"],
  ["no JSON", "value", "must be JSON in UTF-8"],
  ["", "value", "must be JSON in UTF-8"],
  [Buffer.from('{"messages":["\xff"]}', "latin1"), "value", "must be JSON in UTF-8"],
])("bucket: the value %j is absent, and can be replaced", async (bad, field, limit) => {
  const bucket = bus.bucket(buckets.dialogues);
  await client.request("$KV.voxbus_dialogues.odd", Buffer.from(bad));
  expect((await bucket.get("odd"))?.value).toBeUndefined();
  await bucket.modify("odd", (value) => (value === undefined ? { messages: [] } : undefined));
  expect((await bucket.get("odd"))?.value).toEqual({ messages: [], turns: [] });
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatchObject({
    subject: "$KV.voxbus_dialogues.odd",
    reason: "bad-envelope",
    field,
    limit: expect.stringContaining(limit),
  });
});

test("subject: a message of a device whose id is not valid reaches no handler and no claim", async () => {
  const got: string[] = [];
  const take = (device: string) => void got.push(device);
  bus.subscribe(channels.inText("*"), (_, { device }) => take(device));
  const claims = await bus.claim({
    channel: channels.inText("*"),
    durable: "ids",
    slots: 4,
    work: async ({ device }) => take(device),
  });
  await bus.flush();
  const text = encodeEnvelope(z.any(), { session: "s1", seq: 1, at: 1, kind: "text", body: "hello" });
  for (const id of ["x".repeat(65), "AA:BB:CC:DD:EE:01", "good"]) await client.request(`device.${id}.in.text`, text);
  await expect.poll(() => got, { timeout: 10_000 }).toEqual(["good", "good"]);
  await expect.poll(() => bus.stats().drops["bad-envelope"], { timeout: 10_000 }).toBe(4);
  expect(warnings).toContainEqual(
    expect.objectContaining({ subject: "device.AA:BB:CC:DD:EE:01.in.text", field: "subject" }),
  );
  await claims.drain(0);
});

test.each(["my group", "", "a\tb", "x".repeat(129)])("queue: the name %j is refused with its limit", (queue) => {
  expect(() => bus.subscribe(channels.inText("*"), () => undefined, { queue })).toThrow(
    new RangeError("queue: expected 1 to 128 characters of A-Z a-z 0-9 . _ -"),
  );
});
