import type { Bus } from "@voxbus/bus";
import { channels, shadowOf, type Heard, type InAudio, type Say, type Stats, type BadMessage } from "@voxbus/protocol";
import { connectTestBus, findFreePort, loose, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli, startCli, type RunningCli } from "../test-cli.ts";

let nats: NatsServer;
let bus: Bus;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

/** Starts `voxbus tail` and resolves when it follows. */
async function startTail(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningCli> {
  const one = startCli(["tail", ...args], { VOXBUS_NATS_URL: nats.url, ...env });
  await one.told(/following .*\n/);
  return one;
}

/** Ends it with Ctrl-C and gives its lines. */
async function endTail(one: RunningCli): Promise<readonly string[]> {
  one.kill("SIGINT");
  const { code, stdout } = await one.ended;
  expect(code).toBe(0);
  return stdout.split("\n").slice(0, -1);
}

const frame = (seq: number) => ({ session: "s1", seq, at: 1 });
const sendText = (device: string, seq: number, body: string) =>
  bus.store(channels.inText(device), { ...frame(seq), kind: "text", body });
const heard: Heard = {
  session: "s1",
  listen: 1,
  utterance: 1,
  from: 5,
  origin: 9,
  text: "open the door",
  language: "en",
};
const say: Say = { session: "s1", origin: 9, reply: "r1", attempt: 1, sentence: 0, text: "It is open.", last: true };
const audio = (seq: number): InAudio => ({ ...frame(seq), kind: "audio", body: Uint8Array.of(0xf8, 1, 2) });

test("tail: shows every kind of message, decoded, each stored one once", async () => {
  const one = await startTail();
  await sendText("kitchen", 1, "hello there");
  await bus.store(channels.heard("kitchen"), heard);
  await bus.store(channels.sayOpen("kitchen"), say, { id: "r1:0" });
  await bus.store(channels.sayOpen("kitchen"), say, { id: "r1:0" });
  bus.publish(channels.fleetOut(), { kind: "text", body: { type: "system", command: "reboot" } });
  bus.publish(channels.event("hall"), { session: "s2", at: 1, gateway: "g1", state: "closed", reason: "gone" });
  await one.printed(/state=closed/);
  const lines = (await endTail(one)).map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3} /, ""));
  expect(lines).toEqual([
    'device.kitchen.in.text "hello there" seq=1 session=s1',
    'device.kitchen.heard "open the door" listen=1 utterance=1 from=5 origin=9 language=en session=s1',
    'device.kitchen.say.open "It is open." origin=9 reply=r1 attempt=1 sentence=0 last=true session=s1',
    "fleet.out system command=reboot",
    "device.hall.event gateway=g1 state=closed reason=gone session=s2",
  ]);
});

test("tail: what shadows publish is shown under its own subject, also beside all others", async () => {
  const [all, own] = [await startTail(), await startTail(["shadow.next.>"])];
  await bus.store(channels.heard("cellar"), heard);
  bus.publish(shadowOf(channels.heard("cellar"), "other"), heard);
  bus.publish(shadowOf(channels.heard("cellar"), "next"), heard);
  await Promise.all([all, own].map((one) => one.printed(/shadow\.next.*\n/)));
  const subjectsOf = async (one: RunningCli) => (await endTail(one)).map((line) => line.split(" ")[1]);
  const shown = ["", "shadow.other.", "shadow.next."].map((prefix) => `${prefix}device.cellar.heard`);
  expect([await subjectsOf(own), await subjectsOf(all)]).toEqual([shown.slice(-1), shown]);
});

test("tail: with --json each line is a message with its time, subject and turn", async () => {
  const one = await startTail(["device.kitchen.>", "--json"]);
  await sendText("kitchen", 1, "hello");
  await one.printed(/hello.*\n/);
  const [line = ""] = await endTail(one);
  expect(JSON.parse(line)).toEqual({
    at: expect.any(Number),
    subject: "device.kitchen.in.text",
    turn: "s1:1",
    message: { ...frame(1), kind: "text", body: "hello" },
  });
  expect(Math.abs(Date.now() - (JSON.parse(line) as { at: number }).at)).toBeLessThan(20_000);
});

test("tail: folds audio to a line a second for each stream, and Ctrl-C prints the rest", async () => {
  const one = await startTail(["--json"]);
  for (let seq = 1; seq <= 30; seq += 1) bus.publish(channels.inAudio("kitchen"), audio(seq));
  for (let n = 0; n < 20; n += 1)
    bus.publish(channels.out("kitchen"), { ...reply(n), kind: "audio", duration: 60, body: Uint8Array.of(0xf8) });
  bus.publish(channels.event("kitchen"), { session: "s1", at: 1, gateway: "g1", state: "idle" });
  await one.printed(/idle.*\n/);
  const lines = (await endTail(one)).map((line) => JSON.parse(line) as Line).filter((line) => line.audio !== undefined);
  const ofSubject = (subject: string) => lines.filter((line) => line.subject === subject).map((line) => line.audio!);
  const spoken = ofSubject("device.kitchen.in.audio");
  const played = ofSubject("device.kitchen.out");
  expect(spoken.length + played.length).toBeLessThan(20);
  expect([spoken[0]?.["from"], spoken.at(-1)?.["to"], sum(spoken, "packets"), sum(spoken, "bytes")]).toEqual([
    1, 30, 30, 90,
  ]);
  expect([played[0]?.["from"], played.at(-1)?.["to"], sum(played, "duration")]).toEqual(["0.0", "0.19", 1200]);
});

const reply = (n: number) => ({ session: "s1", origin: 9, reply: "r1", attempt: 1, sentence: 0, n });
type Sums = Readonly<Record<string, number | string>>;
type Line = { readonly subject: string; readonly audio?: Sums };
const sum = (all: readonly Sums[], name: string) => all.reduce((total, one) => total + Number(one[name]), 0);

test("tail: in a terminal the messages of a turn have one color, and a malformed one is red", async () => {
  const one = await startTail(["device.kitchen.>"], { FORCE_COLOR: "1" });
  await bus.store(channels.heard("kitchen"), heard);
  await bus.store(channels.sayOpen("kitchen"), say);
  await sendText("kitchen", 12, "again");
  bus.publish(loose(channels.out("kitchen")), { kind: "text" });
  await one.printed(/bad-envelope/);
  const colors = (await endTail(one)).map((line) => /\[(\d+)mdevice/.exec(line)?.[1]);
  expect(colors[0]).toBeDefined();
  expect(colors[1]).toBe(colors[0]);
  expect(colors[2]).not.toBe(colors[0]);
  expect(colors[3]).toBe("31");
});

test("tail: outside a terminal it prints no color", async () => {
  const one = await startTail(["device.kitchen.>"]);
  await sendText("kitchen", 1, "hello");
  await one.printed(/hello/);
  expect((await endTail(one)).join()).not.toContain("\u001b");
});

test("tail: a malformed message is named with its field and limit, never its value, and a flood of them is counted", async () => {
  const one = await startTail(["device.kitchen.>", "--json"]);
  const bad = { ...frame(1), kind: "text", body: "a private word".repeat(400) };
  for (let at = 0; at < 500; at += 1) bus.publish(loose(channels.inText("kitchen")), bad);
  bus.publish(loose(channels.inText("kitchen")), Buffer.from("a private word"));
  bus.publish(loose(channels.inText("kitchen")), new Uint8Array());
  bus.publish(loose(channels.sayOpen("kitchen")), { ...say, sentence: 2 });
  await sendText("kitchen", 2, "the end");
  await one.printed(/the end/);
  const lines = (await endTail(one)).map((line) => JSON.parse(line) as { bad?: Record<string, unknown> });
  const found = lines.map(({ bad }) => bad).filter((bad) => bad !== undefined);
  const problem = "body: must be at most 4096 bytes";
  expect(found).toContainEqual({ code: "bad-envelope", field: "body", problem });
  expect(found).toContainEqual(expect.objectContaining({ code: "bad-envelope", field: "sentence" }));
  const counts = found.filter(({ field }) => field === "body").map(({ more = 1 }) => Number(more));
  expect(counts.reduce((total, count) => total + count)).toBe(500);
  expect(found.length).toBeLessThan(50);
  expect(found.filter(({ field }) => field === "envelope").length).toBeGreaterThanOrEqual(2);
  expect(JSON.stringify(lines)).not.toContain("private");
});

const numbers = { uptime: 1, rss: 1, heap: 1, cpu: 0, cores: 1, loopDelay: 0, gauges: {}, totals: {}, drops: {} };
const bad: BadMessage = { subject: "device.kitchen.in.text", reason: "bad-envelope", field: "seq", count: 1, at: 1 };
const stats = (one: BadMessage): Stats => ({
  program: "asr",
  instance: "i1",
  state: "running",
  host: "h",
  pid: 1,
  at: 1,
  ...numbers,
  badMessages: [one],
});

test("tail: shows the malformed messages that programs report, once each, and no other number", async () => {
  const one = await startTail(["--device", "kitchen"]);
  bus.publish(channels.error("asr"), { ...bad, limit: "expected a number", publisher: "echo" });
  bus.publish(channels.stats("asr"), stats(bad));
  bus.publish(channels.stats("asr"), stats({ ...bad, count: 3, at: 9 }));
  bus.publish(channels.error("asr"), { ...bad, subject: "device.hall.in.text" });
  bus.publish(channels.stats("asr"), stats({ ...bad, subject: "device.hall.in.text" }));
  await sendText("kitchen", 2, "the end");
  await one.printed(/the end/);
  const lines = await endTail(one);
  expect(lines.slice(0, -1).map((line) => line.slice(13))).toEqual([
    "error.asr dropped 1 of device.kitchen.in.text: bad-envelope in seq (expected a number), published by echo",
    "stats.asr dropped 3 of device.kitchen.in.text: bad-envelope in seq",
  ]);
  const [all, shadows] = [await startTail(["stats.*"]), await startTail(["shadow.next.stats.*"])];
  for (const channel of [channels.stats("asr"), shadowOf(channels.stats("asr"), "next")])
    bus.publish(channel, stats(bad));
  await Promise.all([all, shadows].map((one) => one.printed(/program=asr/)));
});

test("tail: selects by device, kind and turn", async () => {
  const byDevice = await startTail(["--device", "hall"]);
  const byKind = await startTail(["--kind", "heard, say"]);
  const byTurn = await startTail(["--turn", "s1:9"]);
  await sendText("hall", 1, "in the hall");
  bus.publish(channels.fleetOut(), { kind: "text", body: { type: "system", command: "reboot" } });
  for (const device of ["hall", "kitchen"]) {
    bus.publish(channels.command("g1"), { body: { type: "disconnect", device, reason: "requested" } });
    const alert = { id: "a1", at: 1, name: "device-offline", message: "It is gone.", resolved: false } as const;
    bus.publish(channels.alert("low"), { ...alert, severity: "low", target: device });
  }
  await sendText("kitchen", 2, "in the kitchen");
  bus.publish(channels.heardPartial("kitchen"), { ...heard, origin: 7 });
  await bus.store(channels.heard("kitchen"), heard);
  await bus.store(channels.sayOpen("kitchen"), { ...say, reply: "other", origin: 10 });
  bus.publish(loose(channels.inText("kitchen")), { kind: "text" });
  const last: Say = { ...say, sentence: 1, text: "the end" };
  await bus.store(channels.say("kitchen"), last);
  await bus.store(channels.say("hall"), { ...last, session: "s9", origin: 2 });
  await Promise.all([byDevice.printed(/the end/), byKind.printed(/the end[^]*the end/), byTurn.printed(/the end/)]);
  const subjects = async (one: RunningCli) => (await endTail(one)).map((line) => line.split(" ")[1]);
  const about = ["device.hall.in.text", "fleet.out", "gateway.g1.command", "alert.low", "device.hall.say"];
  expect(await subjects(byDevice)).toEqual(about);
  const kinds = ["kitchen.heard", "kitchen.say.open", "kitchen.say", "hall.say"];
  expect(await subjects(byKind)).toEqual(kinds.map((name) => `device.${name}`));
  expect(await subjects(byTurn)).toEqual(["device.kitchen.heard", "device.kitchen.say"]);
});

test.each([
  [["devices.>"], /no subject of the contract fits "devices.>"/],
  [["a b"], /"a b" is not a pattern of subjects/],
  [["--kind", "heard,song"], /--kind takes .*heard.*not "song"/],
  [["--device", "a b"], /device-id must be 1 to 64 characters/],
])("tail: %j is wrong usage", async (args, problem) => {
  const { code, stderr } = await runCli(["tail", ...args], { VOXBUS_NATS_URL: nats.url });
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
});

test("tail: a NATS that is away ends it at once with its address, without a stack or a password", async () => {
  const port = await findFreePort();
  const url = `nats://me:secret@127.0.0.1:${port}`;
  const { code, stdout, stderr } = await runCli(["tail"], { VOXBUS_NATS_URL: url });
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(
    new RegExp(`^voxbus tail: NATS at nats://127.0.0.1:${port} cannot be reached .*VOXBUS_NATS_URL.\\n$`),
  );
  expect(stderr).not.toContain("secret");
});

test("tail: a wrong variable is named, and a NATS that refuses the credentials says so", async () => {
  const wrong = await runCli(["tail"], { VOXBUS_NATS_URL: nats.url, VOXBUS_NATS_PREFIX: "a.b" });
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/^voxbus tail: VOXBUS_NATS_PREFIX: must be/)]);
  const guarded = await startNatsServer({ config: 'authorization { user: "me", password: "secret" }' });
  const refused = await runCli(["tail"], { VOXBUS_NATS_URL: guarded.url });
  await guarded.stop();
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(/^voxbus tail: NATS at .* cannot be used: .*\n$/),
  ]);
});

test("tail: what NATS does not permit is named and left out; if that is everything, it ends", async () => {
  const permit = (allow: string) =>
    `authorization { users: [{ user: "me", password: "pw", permissions: { subscribe: ["${allow}", "_INBOX.>"] } }] }`;
  const guarded = await startNatsServer({ config: permit("device.*.event") });
  const env = { VOXBUS_NATS_URL: guarded.url.replace("//", "//me:pw@") };
  const one = await startTail(["device.>"], env);
  await one.told(/permission denied operation=subscription subject=device\.\*\.out/);
  one.kill("SIGTERM");
  expect((await one.ended).code).toBe(0);
  const { code, stderr } = await runCli(["tail", "device.*.out"], env);
  expect([code, stderr]).toEqual([1, expect.stringContaining("NATS permits none of the subjects of device.*.out")]);
  await guarded.stop();
});

test("tail: a reader that goes away ends it quietly", async () => {
  const one = await startTail();
  one.deafen();
  const publishing = setInterval(() => bus.publish(channels.event("d"), { session: "s1", at: 1, gateway: "g1" }), 20);
  const { code, stderr } = await one.ended;
  clearInterval(publishing);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^voxbus: following [^\n]*\n$/)]);
});

test("tail: goes on after NATS was away, and says both", async () => {
  const own = await startNatsServer();
  const one = await startTail([], { VOXBUS_NATS_URL: own.url });
  await own.restart();
  await one.told(/NATS disconnected[^]*NATS reconnected/);
  const publisher = await connectTestBus(own.url);
  publisher.publish(channels.event("d"), { session: "s1", at: 1, gateway: "g1", state: "active" });
  await one.printed(/state=active/);
  await Promise.all([publisher.close(), endTail(one)]);
  await own.stop();
});

test("tail: follows the system of its prefix only", async () => {
  const other = await connectTestBus(nats.url, { config: { VOXBUS_NATS_PREFIX: "staging" } });
  const one = await startTail(["device.k.>"], { VOXBUS_NATS_PREFIX: "staging" });
  bus.publish(channels.event("k"), { session: "s1", at: 1, gateway: "g1", state: "active" });
  await bus.flush();
  other.publish(channels.event("k"), { session: "s1", at: 1, gateway: "g1", state: "idle" });
  await one.printed(/state=idle/);
  expect(await endTail(one)).toHaveLength(1);
  await other.close();
});
