import { availableParallelism } from "node:os";
import { buckets, channels, type Outbound, type Stats } from "@voxbus/protocol";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { checkProgram, ConfigError, startSubscriber, variablesOf, type Program } from "./index.ts";
import { useTestPrograms } from "./test-programs.ts";

const programs = useTestPrograms();
test("send: text, alerts and live audio reach the device's channel", async () => {
  const { context } = await programs.open();
  const out: Outbound[] = [];
  const watch = programs.gateway.subscribe(channels.out("d1"), (message) => void out.push(message));
  await programs.gateway.flush();
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
  const { context } = await programs.open();
  const long = "The kettle has boiled and the tea is on the table. ".repeat(9);
  const { reply } = await context.send.say("say-1", long, { emotion: "happy", language: "en" });
  expect(reply).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  const { messages: first } = await programs.gateway.stored(channels.sayOpen("say-1"), 10);
  const { messages: rest } = await programs.gateway.stored(channels.say("say-1"), 10);
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
  const { context } = await programs.open();
  await context.send.say("say-2", "Dinner is ready.");
  const { messages } = await programs.gateway.stored(channels.sayOpen("say-2"), 10);
  expect(messages.map(({ text, last }) => [text, last])).toEqual([["Dinner is ready.", true]]);
  for (const text of [" ", "a".repeat(65_537), `Hello there. ${"a".repeat(65_537)}`])
    await expect(context.send.say("say-2", text)).rejects.toThrow(RangeError);
  for (const language of ["", "en_US", "xx-invalid-", "constructor"])
    await expect(context.send.say("say-2", "Hello.", { language })).rejects.toThrow(RangeError);
});

test("send: a value beyond its limit is refused with its field, and nothing is sent", async () => {
  const { context } = await programs.open();
  const { send } = context;
  const sent: unknown[] = [];
  const channel = { ...channels.out("d2"), schema: z.any() };
  for (const subject of ["device.d2.>", "stored.device.d2.>"])
    programs.gateway.subscribe({ ...channel, subject }, (message) => void sent.push(message));
  await programs.gateway.flush();
  const packet = Uint8Array.of(8);
  const emotion = "bored" as "sad";
  const refused = (problem: RegExp) =>
    expect.objectContaining({ name: "RangeError", message: expect.stringMatching(problem) });
  expect(() => send.audio("d2", new Uint8Array(65_536))).toThrow(refused(/^body: .*65535 bytes/));
  expect(() => send.audio("d2", packet, { session: "a b" })).toThrow(refused(/^session: .*1 to 64/));
  expect(() => send.audio("d2", packet, { origin: 0 })).toThrow(refused(/^origin: .*>=1/));
  expect(() => send.alert("d2", "x", { emotion: "x".repeat(65) as "sad" })).toThrow(refused(/^body.emotion: .*64/));
  expect(() => send.text("d2", { type: "goodbye" }, { reply: "" })).toThrow(refused(/^reply: .*>=1/));
  await expect(send.say("d2", "x", { emotion })).rejects.toThrow(refused(/^emotion: .*"happy"/));
  await expect(send.say("d2", "x", { reply: "x".repeat(161) })).rejects.toThrow(refused(/^reply: .*160/));
  await expect(context.speaker("d2").write(new Uint8Array(65_536))).rejects.toThrow(refused(/^body: .*65535 bytes/));
  send.audio("d2", new Uint8Array(65_535));
  await vi.waitFor(() => expect(sent).toHaveLength(1));
});

test("send: a text that is longer than devices take is refused", async () => {
  const { context } = await programs.open();
  const message = (length: number) => "é".repeat(length);
  expect(() => context.send.alert("d1", message(4000))).not.toThrow();
  expect(() => context.send.alert("d1", message(4096))).toThrow(/^expected a message of at most 8192 bytes of JSON/);
});

test("send and on: a device id that could widen a subject is refused", async () => {
  const { context } = await programs.open();
  for (const device of ["*", ">", "a.b", "", "a b", "x".repeat(65)]) {
    const refused = expect.objectContaining({ code: "bad-id" });
    expect(() => context.send.alert(device, "x")).toThrow(refused);
    expect(() => context.send.audio(device, Uint8Array.of(8))).toThrow(refused);
    expect(() => context.on.audio(() => {}, { device })).toThrow(refused);
    await expect(context.send.say(device, "x")).rejects.toThrow(refused);
  }
});

test("subscriber: a program is ready while NATS answers", async () => {
  const { program } = await programs.open();
  expect((await fetch(`${program.addresses["ops"]}/readyz`)).status).toBe(200);
});

test("subscriber: the first report has the numbers that setup added", async () => {
  const reports: Stats[] = [];
  const watch = programs.gateway.subscribe(channels.stats("counter"), (stats) => void reports.push(stats));
  await programs.gateway.flush();
  await programs.start(
    ({ report }) => {
      report({ threads: 2 });
      report({ gauges: () => ({ bells: 3 }) });
    },
    { name: "counter" },
  );
  await vi.waitFor(() => expect(reports).not.toHaveLength(0));
  expect(reports[0]).toMatchObject({ program: "counter", state: "running", gauges: { bells: 3 } });
  expect(reports[0]?.cores).toBe(Math.min(2, availableParallelism()));
  watch.close();
});

test("subscriber: profiles are watched once, and follow changes", async () => {
  const { context } = await programs.open();
  const profiles = await context.profiles();
  expect(await context.profiles()).toBe(profiles);
  expect(profiles.of("d1").language).toBe("en");
  await programs.gateway.bucket(buckets.profiles).put("d1", { language: "de" });
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

test("subscriber: only a program that can run as a shadow takes VOXBUS_SHADOW; others would start as the real one", async () => {
  const env = { VOXBUS_NATS_URL: "nats://127.0.0.1:1", VOXBUS_SHADOW: "next" };
  const problem = "VOXBUS_SHADOW: expected no value: this program cannot run as a shadow";
  await expect(startSubscriber({ name: "test" }, () => undefined, env)).rejects.toThrow(problem);
  expect(checkProgram({ name: "test" }, env).problems).toEqual([problem]);
  expect(checkProgram({ name: "test", shadow: [] }, env).problems).toEqual([]);
  const names = (program: Program) => variablesOf(program).map(({ name }) => name);
  expect(names({ name: "test" })).not.toContain("VOXBUS_SHADOW");
  expect(names({ name: "test", shadow: [] })).toContain("VOXBUS_SHADOW");
});

test("check: one of a name that is there already is refused, such as that of the library", async () => {
  const { context } = await programs.open();
  context.check("door", () => true);
  for (const name of ["nats", "door"])
    expect(() => context.check(name, () => true)).toThrow(new RangeError(`the check ${name} exists already`));
});
