import { availableParallelism } from "node:os";
import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, loose } from "@voxbus/testing";
import {
  buckets,
  channels,
  type Heard,
  type InAudio,
  type InControlFrame,
  type Outbound,
  type Stats,
} from "@voxbus/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { ConfigError, startSubscriber, type Context, type Program, type Running } from "./index.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let gateway: Bus;
const running: Running[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  gateway = await connectTestBus(nats.url);
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("quick");
});
afterAll(async () => {
  await gateway?.close();
  await nats?.stop();
});

async function start(setup: (context: Context) => void, name = "test") {
  const program = await startSubscriber({ name }, setup, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_LOG_LEVEL: "fatal",
  });
  running.push(program);
  return program;
}

async function open(name?: string): Promise<{ context: Context; program: Running }> {
  let context: Context | undefined;
  const program = await start((given) => void (context = given), name);
  return { context: context!, program };
}

const frame = (seq: number) => ({ session: "s1", seq, at: 1, kind: "audio", body: Uint8Array.of(seq) });
const metrics = async ({ addresses }: Running) => (await fetch(`${addresses["ops"]}/metrics`)).text();

function heard(origin: number, text: string): Heard {
  return { session: "s1", listen: 1, utterance: 1, from: 1, origin, text, language: "en" };
}

test("on: gets the frames of one device, or of all", async () => {
  const one: number[] = [];
  const all: string[] = [];
  await start(({ on }) => {
    on.audio((message) => void one.push(message.seq), { device: "AA:BB:CC:DD:EE:01" });
    on.audio((_, from) => void all.push(from.device));
  });
  gateway.publish(loose(channels.inAudio("aa:bb:cc:dd:ee:01")), frame(1));
  gateway.publish(loose(channels.inAudio("other")), frame(2));
  await vi.waitFor(() => expect(all).toEqual(["aa:bb:cc:dd:ee:01", "other"]));
  expect(one).toEqual([1]);
});

test("on: control includes listens, in order with everything else", async () => {
  const types: string[] = [];
  await start(({ on }) => void on.control((message) => void types.push(message.body.type)));
  const control = (seq: number, body: InControlFrame["body"]): InControlFrame => {
    return { session: "s1", seq, at: 1, kind: "control", body };
  };
  gateway.publish(loose(channels.inControlOpen("d1")), control(1, { type: "listen", mode: "auto", gateway: "g1" }));
  gateway.publish(loose(channels.inControl("d1")), control(2, { type: "stop" }));
  gateway.publish(loose(channels.inControlOpen("d1")), control(3, { type: "listen", mode: "auto", gateway: "g1" }));
  await vi.waitFor(() => expect(types).toEqual(["listen", "stop", "listen"]));
});

test("on: each message goes to one of the programs with the same queue", async () => {
  const got: number[] = [];
  for (const name of ["left", "right"]) {
    await start(({ on }) => void on.audio((message) => void got.push(message.seq), { queue: "q", device: "d1" }), name);
  }
  const sent = Array.from({ length: 40 }, (_, index) => index + 1);
  for (const seq of sent) gateway.publish(loose(channels.inAudio("d1")), frame(seq));
  await vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(40));
  expect(got.toSorted((a, b) => a - b)).toEqual(sent);
});

test("on: errors of handlers are counted, and the next messages come", async () => {
  const got: number[] = [];
  const program = await start(({ on }) => {
    on.audio((message) => {
      got.push(message.seq);
      throw new Error("broken");
    });
    on.audio(async ({ seq }: InAudio) => Promise.reject(new Error(`broken ${seq}`)));
  });
  for (const seq of [1, 2, 3]) gateway.publish(loose(channels.inAudio("d1")), frame(seq));
  await vi.waitFor(async () =>
    expect(await metrics(program)).toMatch(/voxbus_bus_drops_total\{[^}]*reason="handler-failed"[^}]*\} 6/),
  );
  expect(got).toEqual([1, 2, 3]);
});

test("on: messages that do not decode are skipped and counted by reason", async () => {
  const got: number[] = [];
  const program = await start(({ on }) => void on.audio((message) => void got.push(message.seq)));
  const channel = loose(channels.inAudio("d1"));
  gateway.publish(channel, Uint8Array.of(0xc1));
  gateway.publish(channel, { ...frame(1), v: 2 });
  gateway.publish(channel, { ...frame(1), seq: 0 });
  gateway.publish(channel, frame(4));
  await vi.waitFor(() => expect(got).toEqual([4]));
  const text = await metrics(program);
  expect(text).toMatch(/voxbus_bus_drops_total\{[^}]*reason="bad-envelope"[^}]*\} 2/);
  expect(text).toMatch(/voxbus_bus_drops_total\{[^}]*reason="newer-version"[^}]*\} 1/);
});

test("on: heard has what was stored, once, and not what the stream refused", async () => {
  const texts: string[] = [];
  await start(({ on }) => void on.heard((message) => void texts.push(message.text), { device: "heard-1" }));
  const subject = channels.heard("heard-1");
  await gateway.store(subject, heard(5, "lights on"), { expected: 0 });
  await expect(gateway.store(subject, heard(5, "lights off"), { expected: 0 })).rejects.toThrow();
  const { newest } = await gateway.lastStored(subject);
  await gateway.store(subject, heard(9, "thank you"), { expected: newest });
  await vi.waitFor(() => expect(texts).toEqual(["lights on", "thank you"]));
});

test("on: a closed handle gets no more messages", async () => {
  const got: number[] = [];
  const { context } = await open();
  const closer = context.on.audio((message) => void got.push(message.seq));
  const other: number[] = [];
  context.on.audio((message) => void other.push(message.seq));
  closer.close();
  await context.bus.flush();
  gateway.publish(loose(channels.inAudio("d1")), frame(1));
  await vi.waitFor(() => expect(other).toEqual([1]));
  expect(got).toEqual([]);
});

test("send: text, alerts and live audio reach the device's channel", async () => {
  const { context } = await open();
  const out: Outbound[] = [];
  const watch = gateway.subscribe(channels.out("d1"), (message) => void out.push(message));
  await gateway.flush();
  const packet = Uint8Array.of(3 << 3, 1, 2);
  context.send.text("d1", { type: "llm", emotion: "happy" }, { session: "s1", origin: 7 });
  context.send.alert("d1", "The bath is full", { emotion: "surprised" });
  context.send.audio("d1", packet, { session: "s1" });
  await vi.waitFor(() => expect(out).toHaveLength(3));
  const body = { type: "alert", status: "Message", message: "The bath is full", emotion: "surprised" };
  expect(out).toEqual([
    { session: "s1", origin: 7, kind: "text", body: { type: "llm", emotion: "happy" } },
    { kind: "text", body },
    { session: "s1", kind: "audio", duration: 60, body: Buffer.from(packet) },
  ]);
  watch.close();
});

test("send: say stores numbered sentences and marks the last one", async () => {
  const { context } = await open();
  const long = "The kettle has boiled and the tea is on the table. ".repeat(9);
  const { reply } = await context.send.say("say-1", long, { emotion: "happy", language: "en" });
  expect(reply).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  const { messages: first } = await gateway.stored(channels.sayOpen("say-1"), 10);
  const { messages: rest } = await gateway.stored(channels.say("say-1"), 10);
  const said = [...first, ...rest];
  expect(first).toHaveLength(1);
  expect(rest.length).toBeGreaterThan(0);
  expect(said.map(({ sentence }) => sentence)).toEqual(said.map((_, index) => index));
  expect(said.map(({ last }) => last)).toEqual(said.map((_, index) => index === said.length - 1));
  expect(said.map(({ text }) => text).join(" ")).toBe(long.trim());
  for (const message of said) expect(message).toMatchObject({ reply, attempt: 1, emotion: "happy", language: "en" });
  expect(said[0]).not.toHaveProperty("session");
  expect(said[0]).not.toHaveProperty("origin");
});

test("send: say stores a short text as one sentence, and refuses an empty one", async () => {
  const { context } = await open();
  await context.send.say("say-2", "Dinner is ready.");
  const { messages } = await gateway.stored(channels.sayOpen("say-2"), 10);
  expect(messages.map(({ text, last }) => [text, last])).toEqual([["Dinner is ready.", true]]);
  await expect(context.send.say("say-2", " ")).rejects.toThrow(RangeError);
  for (const language of ["", "en_US", "xx-invalid-", "constructor"])
    await expect(context.send.say("say-2", "Hello.", { language })).rejects.toThrow(RangeError);
});

test("send and on: a device id that could widen a subject is refused", async () => {
  const { context } = await open();
  for (const device of ["*", ">", "a.b", "", "a b", "x".repeat(65)]) {
    const refused = expect.objectContaining({ code: "bad-id" });
    expect(() => context.send.alert(device, "x")).toThrow(refused);
    expect(() => context.send.audio(device, Uint8Array.of(8))).toThrow(refused);
    expect(() => context.on.audio(() => {}, { device })).toThrow(refused);
    await expect(context.send.say(device, "x")).rejects.toThrow(refused);
  }
});

test("subscriber: a program is ready while NATS answers", async () => {
  const { program } = await open();
  expect((await fetch(`${program.addresses["ops"]}/readyz`)).status).toBe(200);
});

test("subscriber: the first report has the numbers that setup added", async () => {
  const reports: Stats[] = [];
  const watch = gateway.subscribe(channels.stats("counter"), (stats) => void reports.push(stats));
  await gateway.flush();
  await start(({ report }) => {
    report({ threads: 2 });
    report({ gauges: () => ({ bells: 3 }) });
  }, "counter");
  await vi.waitFor(() => expect(reports).not.toHaveLength(0));
  expect(reports[0]).toMatchObject({ program: "counter", state: "running", gauges: { bells: 3 } });
  expect(reports[0]?.cores).toBe(Math.min(2, availableParallelism()));
  watch.close();
});

test("subscriber: profiles are watched once, and follow changes", async () => {
  const { context } = await open();
  const profiles = await context.profiles();
  expect(await context.profiles()).toBe(profiles);
  expect(profiles.of("d1").language).toBe("en");
  await gateway.bucket(buckets.profiles).put("d1", { language: "de" });
  await vi.waitFor(() => expect(profiles.of("d1").language).toBe("de"));
});

test("subscriber: rules between variables are checked before NATS is waited for", async () => {
  const program: Program = {
    name: "checked",
    checkConfig() {
      throw new ConfigError(["VOXBUS_A: must be set with VOXBUS_B"]);
    },
  };
  const env = { VOXBUS_NATS_URL: "nats://127.0.0.1:1", VOXBUS_LOG_LEVEL: "fatal" };
  await expect(startSubscriber(program, () => {}, env)).rejects.toThrow("VOXBUS_A: must be set with VOXBUS_B");
});

test("NATS credentials: contradictions stop the program before it connects, with sentences that hold no secret", async () => {
  const env = {
    VOXBUS_NATS_URL: "nats://u:s3cret@127.0.0.1",
    VOXBUS_NATS_TOKEN: "s3cret",
    VOXBUS_NATS_KEY: "/nowhere",
  };
  const error: unknown = await startSubscriber({ name: "test" }, () => undefined, env).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).problems).toEqual([
    "VOXBUS_NATS_URL, VOXBUS_NATS_TOKEN: expected one way to sign in to NATS, these are 2",
    "VOXBUS_NATS_KEY: VOXBUS_NATS_CERT is missing",
    "VOXBUS_NATS_KEY: cannot read /nowhere (ENOENT)",
  ]);
});
