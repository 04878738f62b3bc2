import { brokerTraceSubject, NoResponderError, RefusedError, type Bus } from "@voxbus/bus";
import { buckets, channels, shadowOf, stored, type Say } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createShadowBus } from "./shadow.ts";

let nats: NatsServer;
let bus: Bus;
let shadow: Bus;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  shadow = createShadowBus(bus, { name: "next", own: [channels.sayOpen.pattern] });
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

const say: Say = { session: "s1", origin: 3, reply: "s1:3", attempt: 1, sentence: 0, text: "Hello.", last: true };

test("shadow: what it stores reaches no stream, and it finds its own in place of the stored ones", async () => {
  const real: Say[] = [];
  const own: Say[] = [];
  bus.subscribe(stored(channels.sayOpen("d1")), (message) => void real.push(message));
  bus.subscribe(shadowOf(channels.sayOpen("d1"), "next"), (message) => void own.push(message));
  await bus.store(channels.sayOpen("d1"), { ...say, text: "Real." });
  const { seq } = await shadow.store(channels.sayOpen("d1"), say);
  await expect.poll(() => [real.length, own.length]).toEqual([1, 1]);
  expect(await shadow.stored(channels.sayOpen("d1"), 10)).toEqual({ messages: [say], newest: seq });
  expect((await bus.stored(channels.sayOpen("d1"), 10)).messages).toMatchObject([{ text: "Real." }]);
});

test("shadow: it changes no bucket and no stream, and calls no tool", async () => {
  const profiles = shadow.bucket(buckets.profiles);
  await bus.bucket(buckets.profiles).put("d1", { group: "attic" });
  await profiles.put("d1", { group: "cellar" });
  await profiles.modify("d1", () => ({ group: "cellar" }));
  await profiles.remove("d1");
  expect((await profiles.get("d1"))?.value?.own).toEqual({ group: "attic" });
  const frame = { session: "s1", seq: 1, at: 1, kind: "text", body: "hello" } as const;
  await bus.store(channels.inText("forgotten"), frame);
  await shadow.forget("forgotten");
  expect((await bus.stored(channels.inText("forgotten"), 10)).messages).toHaveLength(1);
  let calls = 0;
  bus.respond(channels.tool("lamp"), () => ({ text: `call ${(calls += 1)}` }));
  const call = { id: "s1:3:1", device: "d1", session: "s1", origin: 3, args: {}, deadline: Date.now() + 5000 };
  expect(await bus.request(channels.tool("lamp"), call)).toMatchObject({ text: "call 1" });
  await expect(shadow.request(channels.tool("lamp"), call)).rejects.toThrow(RefusedError);
  expect(calls).toBe(1);
});

test("shadow: it claims nothing from others, and drops what finds no free slot", async () => {
  const held: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => held.push(resolve));
  const claims = await shadow.claim({ channel: channels.inText("*"), durable: "dialogue", slots: 2, work });
  await bus.flush();
  const text = (seq: number) => ({ session: "s1", seq, at: 1, kind: "text", body: "hello" }) as const;
  for (const seq of [1, 2, 3]) await bus.store(channels.inText("d1"), text(seq));
  await expect.poll(() => bus.stats().drops).toMatchObject({ "queue-full": 1 });
  expect(claims.held()).toBe(2);
  expect((await bus.lags()).filter(({ durable }) => durable === "dialogue")).toEqual([]);
  for (const done of held) done();
  await expect.poll(() => claims.held()).toBe(0);
  await claims.drain(0);
});

test("shadow: two programs of one shadow get each message of a claim both", async () => {
  const got: string[] = [];
  const claims = ["dialogue", "brain"].map((durable) =>
    shadow.claim({ channel: channels.heard("*"), durable, slots: 20, work: async () => void got.push(durable) }),
  );
  await bus.flush();
  const heard = { session: "s1", listen: 1, utterance: 1, from: 5, origin: 9, text: "hello", language: "en" };
  for (let utterance = 1; utterance <= 10; utterance += 1)
    await bus.store(channels.heard("d2"), { ...heard, utterance, origin: utterance + 8 });
  await expect.poll(() => got.toSorted()).toEqual(["brain", "dialogue"].flatMap((name) => Array(10).fill(name)));
  for (const one of claims) await (await one).drain(0);
});

test("shadow: it joins no queue group of the real program, offers no tools to others, and gets no reports of NATS", async () => {
  const got = { real: 0, shadow: 0 };
  const options = { queue: "doorbell" };
  bus.subscribe(channels.event("d1"), () => (got.real += 1), options);
  for (let process = 0; process < 2; process += 1)
    shadow.subscribe(channels.event("d1"), () => (got.shadow += 1), options);
  const call = { id: "s1:3:1", device: "d1", session: "s1", origin: 3, args: {}, deadline: Date.now() + 5000 };
  const served = shadow.serve({ name: "shadow", version: "1.0.0" });
  served.endpoint(channels.tool("door"), { name: "door" }, async () => ({ text: "done" }));
  shadow.brokerTraces(() => undefined);
  await bus.flush();
  // No report of NATS: who takes it counts it as malformed.
  bus.publish({ ...channels.event("d1"), subject: brokerTraceSubject }, { session: "s1", at: 1, gateway: "g" });
  for (let n = 0; n < 20; n += 1) bus.publish(channels.event("d1"), { session: "s1", at: n, gateway: "g" });
  await expect.poll(() => got, { timeout: 10_000 }).toEqual({ real: 20, shadow: 20 });
  expect(bus.stats().drops).not.toHaveProperty("bad-envelope");
  await expect(bus.request(channels.tool("door"), call)).rejects.toThrow(NoResponderError);
  served.close();
});
