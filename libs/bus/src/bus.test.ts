import { setTimeout as sleep } from "node:timers/promises";
import { busVersion, channels, type Heard, type InText, type Say, stored } from "@voxbus/protocol";
import { startNatsServer, type NatsServer, loose } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bus } from "./bus.ts";
import { BusAwayError, ConflictError } from "./errors.ts";
import { connectOwnBus } from "./test-bus.ts";

let server: NatsServer;
let bus: Bus;

const connect = (): Promise<Bus> => connectOwnBus(server.url);
const makeText = (seq: number, body = "hello"): InText => ({
  session: "s1",
  seq,
  at: 0,
  kind: "text",
  body,
});
const makeHeard = (origin: number): Heard => ({
  session: "s1",
  listen: 1,
  utterance: 1,
  from: 1,
  origin,
  text: "hello",
  language: "en",
});

const makeSay = (sentence: number): Say => ({ reply: "r1", attempt: 1, sentence, text: "Hello.", last: false });

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connect();
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});

test("store: the same message id is stored once", async () => {
  const subject = channels.inText("twice");
  const first = await bus.store(subject, makeText(1), { id: "s1:1" });
  const second = await bus.store(subject, makeText(1), { id: "s1:1" });
  expect(second).toEqual({ seq: first.seq, duplicate: true });
  expect((await bus.stored(subject, 10)).messages).toHaveLength(1);
});

test("store: only the first of several messages with the same expectation is stored", async () => {
  const subject = channels.heard("race");
  const results = await Promise.allSettled([1, 2, 3].map((n) => bus.store(subject, makeHeard(n), { expected: 0 })));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const lost = results.filter((result) => result.status === "rejected");
  expect(lost.map(({ reason }) => reason instanceof ConflictError)).toEqual([true, true]);
  const { newest } = await bus.lastStored(subject);
  await bus.store(subject, makeHeard(9), { expected: newest });
  expect((await bus.lastStored(subject)).message?.origin).toBe(9);
});

test("store: messages published before and after it arrive in that order", async () => {
  const seqs: number[] = [];
  const arrived = new Promise<void>((resolve) =>
    bus.subscribe(channels.inbound("order"), ({ seq }) => {
      seqs.push(seq);
      if (seqs.length === 30) resolve();
    }),
  );
  const storing = [];
  for (let seq = 1; seq <= 30; seq += 1) {
    if (seq % 3 === 0) storing.push(bus.store(channels.inText("order"), makeText(seq), { id: `order:${seq}` }));
    else {
      const body = new Uint8Array([seq]);
      bus.publish(channels.inAudio("order"), { session: "s1", seq, at: 0, kind: "audio", body });
    }
  }
  await arrived;
  await Promise.all(storing);
  expect(seqs).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
});

test("stored: the newest messages, oldest first, over a pattern and several pages", async () => {
  for (let batch = 0; batch < 6; batch += 1) {
    await Promise.all(
      Array.from({ length: 100 }, (_, n) => bus.store(channels.heard(`many${n % 2}`), makeHeard(batch * 100 + n + 1))),
    );
  }
  const subject = channels.heard("many0");
  expect((await bus.stored(subject, 1000)).messages).toHaveLength(300);
  const { messages, newest } = await bus.stored(channels.heard("*"), 20);
  expect(messages.map(({ origin }) => origin)).toEqual(Array.from({ length: 20 }, (_, n) => 581 + n));
  expect(newest).toBe((await bus.stored(channels.heard("many1"), 1)).newest);
  expect(await bus.stored(channels.heard("absent"), 10)).toEqual({ messages: [], newest: 0 });
});

test("stored: from a sequence on, from a time on, and always with the newest sequence", async () => {
  const subject = channels.heard("since");
  const first = await bus.store(subject, makeHeard(1));
  await Promise.all(Array.from({ length: 599 }, (_, n) => bus.store(subject, makeHeard(n + 2))));
  await sleep(20);
  const time = Date.now() + 0.9; // nats-server runs on this machine, so its clock is ours
  const before = await bus.stored(subject, { limit: 10, from: { time } });
  expect(before.messages).toEqual([]);
  expect(before.newest).toBe((await bus.lastStored(subject)).newest);
  const { seq } = await bus.store(subject, makeHeard(601));
  await bus.store(channels.heard("others"), makeHeard(1));
  const ranges = [{ time }, { seq }, { seq: seq - 1 }].map((from) => bus.stored(subject, { limit: 1, from }));
  for (const { messages, newest } of await Promise.all(ranges)) {
    expect(messages.map(({ origin }) => origin)).toEqual([601]);
    expect(newest).toBe(seq);
  }
  const all = await bus.stored(subject, { limit: 1000, from: { seq: first.seq + 1 } });
  expect(all.messages).toHaveLength(600);
  const absent = channels.heard("absent");
  expect(await bus.stored(absent, { limit: 10, from: { time } })).toEqual({ messages: [], newest: 0 });
});

test("stored: everything from a message's time on, also what was stored within the same millisecond", async () => {
  for (let run = 0; run < 30; run += 1) {
    const device = `same-ms-${run}`;
    const opening = bus.store(channels.sayOpen(device), makeSay(0));
    await Promise.all([opening, ...[1, 2, 3].map((n) => bus.store(channels.say(device), makeSay(n)))]);
  }
  const seen: string[] = [];
  const claims = await bus.claim({
    channel: channels.sayOpen("*"),
    durable: "same-ms",
    slots: 30,
    work: async ({ device, seq, storedAt }) => {
      for (const from of [{ time: storedAt }, { seq }]) {
        const { messages } = await bus.stored(channels.say(device), { limit: 10, from });
        seen.push(messages.map(({ sentence }) => sentence).join());
      }
    },
  });
  await vi.waitFor(() => expect(seen).toHaveLength(60), { timeout: 4000 });
  expect(new Set(seen)).toEqual(new Set(["1,2,3"]));
  await claims.drain(0);
});

test("stored: from a time on costs the same, whatever came before", async () => {
  const subject = channels.inText("history");
  const read = async () => {
    const received = bus.stats().received;
    await bus.stored(subject, { limit: 64, from: { time: Date.now() - 1 } });
    return bus.stats().received - received;
  };
  await bus.store(subject, makeText(1));
  await sleep(20);
  const short = await read();
  await Promise.all(Array.from({ length: 250 }, (_, n) => bus.store(subject, makeText(n + 2))));
  await sleep(20);
  expect(await read()).toBeLessThan(short * 1.2);
});

test("stored.>: only messages that the stream accepted are published again", async () => {
  const origins: number[] = [];
  const closer = bus.subscribe(stored(channels.heard("once")), ({ origin }, { device }) => {
    expect(device).toBe("once");
    origins.push(origin);
  });
  await bus.store(channels.heard("once"), makeHeard(1), { id: "once:1" });
  await bus.store(channels.heard("once"), makeHeard(1), { id: "once:1" });
  await bus.store(channels.heard("once"), makeHeard(2), { expected: 0 }).catch((error: unknown) => error);
  await bus.store(channels.heard("once"), makeHeard(3), { id: "once:3" });
  await vi.waitFor(() => expect(origins).toEqual([1, 3]));
  closer.close();
});

test("trace: text and control carry it, audio never does", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const traces: Readonly<Record<string, string>>[] = [];
  bus.subscribe(channels.inbound("traced"), (_, { trace }) => traces.push(trace));
  await bus.flush();
  bus.publish(loose(channels.inText("traced")), makeText(1), { traceparent });
  const audio = { session: "s1", seq: 2, at: 0, kind: "audio", body: new Uint8Array(1) };
  bus.publish(loose(channels.inAudio("traced")), audio, { traceparent });
  await vi.waitFor(() => expect(traces).toEqual([{ traceparent }, {}]));
});

test("subscribe: a message that does not decode is counted, and a handler that throws does not end the subscription", async () => {
  let calls = 0;
  bus.subscribe(channels.inText("broken"), () => {
    calls += 1;
    throw new Error("a bug in a handler");
  });
  await bus.flush();
  const before = bus.stats().drops;
  bus.publish(loose(channels.inText("broken")), new Uint8Array([0xc1]));
  bus.publish(loose(channels.inText("broken")), { ...makeText(1), v: busVersion + 1 });
  bus.publish(loose(channels.inText("broken")), makeText(2));
  bus.publish(loose(channels.inText("broken")), makeText(3));
  await vi.waitFor(() => expect(calls).toBe(2));
  const { drops } = bus.stats();
  expect((drops["bad-envelope"] ?? 0) - (before["bad-envelope"] ?? 0)).toBe(1);
  expect((drops["newer-version"] ?? 0) - (before["newer-version"] ?? 0)).toBe(1);
});

test("subscribeRaw: a message comes as it was sent, malformed or not, with its headers, and is not counted", async () => {
  const seen: unknown[] = [];
  const closer = bus.subscribeRaw("device.raw.>", ({ data, ...rest }) => void seen.push([...data], rest));
  const other = await connect();
  const trace = { traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01` };
  other.publish(loose(channels.inText("raw")), new Uint8Array([0xc1]), trace);
  other.publish(loose(channels.inAudio("raw")), new Uint8Array());
  await vi.waitFor(() => expect(seen).toHaveLength(4));
  expect(seen).toEqual([
    [0xc1],
    { subject: "device.raw.in.text", device: "raw", headers: trace },
    [],
    { subject: "device.raw.in.audio", device: "raw", headers: {} },
  ]);
  expect(bus.badMessages()).not.toContainEqual(expect.objectContaining({ subject: "device.raw.in.text" }));
  closer.close();
  await other.close();
});

test("subscribe: one member of a queue group gets each message", async () => {
  const other = await connect();
  const seen: number[] = [];
  for (const member of [bus, other]) {
    member.subscribe(channels.inText("queue"), ({ seq }) => seen.push(seq), { queue: "workers" });
    await member.flush();
  }
  for (let seq = 1; seq <= 20; seq += 1) bus.publish(loose(channels.inText("queue")), makeText(seq));
  await bus.flush();
  await other.flush();
  await vi.waitFor(() => expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1)));
  await other.close();
});

test("request: respond answers it, and without an answer it throws BusAwayError", async () => {
  const ask = { session: "s1", from: 3 };
  bus.respond(channels.replay("echo"), ({ session, from }) => ({ session, open: true, newest: from + 1, frames: [] }));
  expect((await bus.request(channels.replay("echo"), ask)).newest).toBe(4);
  await expect(bus.request(channels.replay("absent"), ask)).rejects.toThrow(BusAwayError);
  bus.subscribe(channels.replay("silent"), () => undefined);
  const asked = bus.request(channels.replay("silent"), ask, { timeoutMs: 100 });
  await expect(asked).rejects.toThrow(BusAwayError);
  const reason = new Error("enough");
  const aborted = bus.request(channels.replay("silent"), ask, {}, AbortSignal.abort(reason));
  await expect(aborted).rejects.toBe(reason);
});
