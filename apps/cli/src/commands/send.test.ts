import type { Bus } from "@voxbus/bus";
import { channels, type Outbound } from "@voxbus/protocol";
import { connectTestBus, createInbox, findFreePort, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../test-cli.ts";

let nats: NatsServer;
let bus: Bus;
const out = createInbox<Outbound>();

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  bus.subscribe(channels.out("kitchen"), (frame) => out.put(frame));
  bus.respond(channels.replay("g1"), ({ session, from }) => ({ session, open: true, newest: from, frames: [] }));
  await bus.flush();
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const send = (target: string, message: unknown, ...more: readonly string[]) => {
  const json = typeof message === "string" ? message : JSON.stringify(message);
  return runCli(["send", target, json, ...more], { VOXBUS_NATS_URL: nats.url });
};

test("send: a device gets its message", async () => {
  const body = { type: "alert", status: "Door", message: "Someone rings.", emotion: "happy" };
  expect(await send("kitchen", body)).toEqual({ code: 0, stdout: "sent on device.kitchen.out\n", stderr: "" });
  expect(await out.take(() => true)).toEqual({ kind: "text", body });
});

test("send: bytes are written as the document writes them, and a text that looks like them stays a text", async () => {
  await send("device.kitchen.out", { v: 1, kind: "audio", duration: 60, body: "hex f8 ff" });
  expect(await out.take(() => true)).toEqual({ kind: "audio", duration: 60, body: Buffer.of(0xf8, 0xff) });
  const text = { kind: "text", body: { type: "stt", text: "hex f8 ff" } };
  await send("device.kitchen.out", text);
  expect(await out.take(() => true)).toEqual(text);
});

test("send: the message comes from standard input for -", async () => {
  const body = { type: "system", command: "reboot" };
  const { code } = await runCli(["send", "kitchen", "-"], { VOXBUS_NATS_URL: nats.url }, JSON.stringify(body));
  expect(code).toBe(0);
  expect(await out.take(() => true)).toEqual({ kind: "text", body });
});

test("send: bytes from standard input that are not UTF-8 are refused, and a byte order mark is passed over", async () => {
  const json = Buffer.from(JSON.stringify({ type: "alert", status: "Tür", message: "?", emotion: "happy" }));
  const env = { VOXBUS_NATS_URL: nats.url };
  const marked = await runCli(["send", "kitchen", "-"], env, Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), json]));
  expect(marked.code).toBe(0);
  expect(await out.take(() => true)).toMatchObject({ body: { status: "Tür" } });
  const broken = await runCli(["send", "kitchen", "-"], env, Buffer.from(json.toString("utf8"), "latin1"));
  expect(broken).toEqual({ code: 1, stdout: "", stderr: "voxbus send: the message is not UTF-8\n" });
});

test("send: what a stream stores is stored once under its message id", async () => {
  const say = { reply: "r1", attempt: 1, sentence: 0, text: "Hello.", last: true };
  const first = await send("device.kitchen.say.open", say, "--json");
  const again = await send("device.kitchen.say.open", say, "--json");
  const { seq } = JSON.parse(first.stdout) as { readonly seq: number };
  expect(JSON.parse(first.stdout)).toMatchObject({ subject: "device.kitchen.say.open", duplicate: false });
  expect(JSON.parse(again.stdout)).toMatchObject({ seq, duplicate: true });
  expect((await bus.lastStored(channels.sayOpen("kitchen"))).message).toEqual(say);
});

test("send: a request prints its answer, and fails without one", async () => {
  const { code, stdout } = await send("gateway.g1.replay", { session: "s1", from: 7 });
  expect([code, JSON.parse(stdout)]).toEqual([0, { session: "s1", open: true, newest: 7, frames: [] }]);
  const none = await send("gateway.g2.replay", { session: "s1", from: 7 });
  expect(none).toEqual({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(/^voxbus send: .*gateway\.g2\.replay\n$/),
  });
});

test.each([
  ["a field that is missing", { reply: "r1", attempt: 1, sentence: 1, last: true }, /text: /],
  [
    "the sentence of another subject",
    { reply: "r1", attempt: 1, sentence: 0, text: "x", last: true },
    /sentence: .*>=1/,
  ],
  [
    "a field beyond its limit",
    { reply: "a private word".repeat(20), attempt: 1, sentence: 1, text: "x", last: true },
    /reply: .*160/,
  ],
  [
    "a field that readers ignore",
    { reply: "r", attempt: 1, sentence: 1, text: "x", last: true, langage: "en" },
    /langage: not a field of this message/,
  ],
  ["another version", { v: 2, reply: "r", attempt: 1, sentence: 0, text: "x", last: true }, /v: expected 1/],
])("send: a message with %s is not sent, and the field is named", async (_, message, problem) => {
  const before = (await bus.lastStored(channels.say("kitchen"))).newest;
  const { code, stdout, stderr } = await send("device.kitchen.say", message);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(problem);
  expect(stderr).not.toContain("private");
  expect((await bus.lastStored(channels.say("kitchen"))).newest).toBe(before);
});

test.each(["kitchen", "device.kitchen.out", "fleet.out"])(
  "send: a text over 8 KiB for %s is not sent",
  async (target) => {
    const alert = { type: "alert", status: "Door", message: "x".repeat(8192), emotion: "neutral" };
    const { code, stdout, stderr } = await send(target, target === "kitchen" ? alert : { kind: "text", body: alert });
    expect([code, stdout, stderr]).toEqual([1, "", "voxbus send: body: must be at most 8192 bytes of JSON\n"]);
  },
);

test("send: an inner field that readers would ignore is named with its path", async () => {
  const command = { body: { type: "disconnect", device: "d1", reason: "requested", sesion: "s1" } };
  const { code, stderr } = await send("gateway.g1.command", command);
  expect([code, stderr]).toEqual([1, "voxbus send: body.sesion: not a field of this message\n"]);
});

test.each([
  ["kitchen", "{a private word", /not JSON/],
  ["kitchen", "[]", /not a JSON object/],
  ["kitchen", "null", /not a JSON object/],
  ["a b", "{}", /device-id must be/],
  ["device.kitchen.hear", "{}", /not a subject of the contract/],
  ["device.*.out", "{}", /not a subject of the contract/],
  ["stored.device.kitchen.heard", "{}", /only the stream publishes/],
  ["shadow.next.device.kitchen.heard", "{}", /only a shadow publishes/],
])("send: to %s %s is wrong usage", async (target, json, problem) => {
  const { code, stderr } = await send(target, json);
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
  expect(stderr).not.toContain("private");
});

const reboot = JSON.stringify({ type: "system", command: "reboot" });

test("send: a NATS that is away fails with its address", async () => {
  const env = { VOXBUS_NATS_URL: `nats://127.0.0.1:${await findFreePort()}` };
  const { code, stderr } = await runCli(["send", "kitchen", reboot], env);
  expect([code, stderr]).toEqual([1, expect.stringContaining("cannot be reached")]);
});

test.each([
  ["live", "kitchen", reboot],
  [
    "stored",
    "device.kitchen.say.open",
    JSON.stringify({ reply: "r1", attempt: 1, sentence: 0, text: "Hello.", last: true }),
  ],
  ["asked", "gateway.g1.replay", JSON.stringify({ session: "s1", from: 1 })],
])("send: what NATS does not permit to be %s fails with its subject", async (_, target, json) => {
  const permissions = `{ publish: ["device.*.event"], subscribe: [">"] }`;
  const guarded = await startNatsServer({
    config: `authorization { users: [{ user: "me", password: "pw", permissions: ${permissions} }] }`,
  });
  const env = { VOXBUS_NATS_URL: guarded.url.replace("//", "//me:pw@") };
  const { code, stdout, stderr } = await runCli(["send", target, json], env);
  await guarded.stop();
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/voxbus send: NATS does not permit .*publish on (device\.kitchen|gateway\.g1)/);
  expect(stderr).not.toContain("    at ");
});
