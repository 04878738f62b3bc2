import type { Bus } from "@voxbus/bus";
import { channels, stored, type Say, type TurnPlayed } from "@voxbus/protocol";
import { connectTestBus, createInbox, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli, startCli } from "../test-cli.ts";

let nats: NatsServer;
let bus: Bus;
const said = createInbox<Say & { readonly device: string }>();

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  for (const channel of [channels.sayOpen, channels.say]) {
    bus.subscribe(stored(channel("*")), (sentence, { device }) => said.put({ ...sentence, device }));
  }
  await bus.flush();
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const env = () => ({ VOXBUS_NATS_URL: nats.url });
/** Reports the end of a device's reply, as its gateway does. */
const end = (device: string, turn: Partial<TurnPlayed>) =>
  bus.publish(channels.event(device), {
    session: "s1",
    at: 1,
    gateway: "g1",
    turn: { complete: true, fenced: 0, dropped: 0, late: 0, ...turn },
  });

test("say: stores the sentences of the text and prints their reply", async () => {
  const [one, other] = [`Dinner ${"is ".repeat(60)}ready.`, `Come ${"down ".repeat(30)}now.`];
  const args = ["say", "hall", `${one} ${other}`, "--emotion", "happy", "--language", "en", "--json"];
  const { code, stdout } = await runCli(args, env());
  const { device, reply } = JSON.parse(stdout) as { readonly device: string; readonly reply: string };
  expect([code, device]).toEqual([0, "hall"]);
  const first = await said.take((sentence) => sentence.device === "hall" && sentence.sentence === 0);
  const second = await said.take((sentence) => sentence.device === "hall" && sentence.sentence === 1);
  expect(first).toMatchObject({ reply, text: one, emotion: "happy", language: "en", last: false });
  expect(second).toMatchObject({ reply, text: other, last: true });
});

test.each([
  [{}, 0, "spoken by kitchen"],
  [{ complete: false, reason: "fenced" }, 1, "not spoken: fenced"],
  [{ complete: true, reason: "failed" }, 1, "not spoken: failed"],
])("say --wait: an end with %j gives exit code %d", async (turn, code, text) => {
  const one = startCli(["say", "kitchen", "Dinner is ready.", "--wait"], env());
  const { reply } = await said.take((sentence) => sentence.device === "kitchen");
  end("kitchen", { reply: "another", complete: false });
  end("kitchen", { reply, origin: 7, complete: false });
  end("kitchen", { reply, ...turn });
  expect(await one.ended).toMatchObject({ code, stdout: `${text}\n`, stderr: "" });
});

test.each([
  ["delivered", 0],
  ["unanswered", 1],
] as const)(
  "say --wait: an idle device that is shown the text, and whose receipt is %s, gives exit code %d",
  async (result, code) => {
    const one = startCli(["say", "asleep", "Dinner is ready.", "--wait"], env());
    const { reply } = await said.take((sentence) => sentence.device === "asleep");
    end("asleep", { reply, complete: false, reason: "no-channel" });
    bus.publish(channels.event("asleep"), { session: "s1", at: 1, gateway: "g1", receipt: { reply, result } });
    expect(await one.ended).toMatchObject({ code, stdout: `shown by asleep: ${result}\n`, stderr: "" });
  },
);

test("say --wait: an offline device is told apart by the time limit, and Ctrl-C ends the wait", async () => {
  const late = await runCli(["say", "away", "Hello.", "--wait", "--timeout", "1"], env());
  expect(late).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("away did not speak it within 1 s"),
  });
  const one = startCli(["say", "gone", "Hello.", "--wait"], env());
  await said.take((sentence) => sentence.device === "gone");
  one.kill("SIGINT");
  expect(await one.ended).toEqual({ code: 130, stdout: "", stderr: "" });
});

test.each([
  [["kitchen"], /TEXT is missing/],
  [["kitchen", " "], /TEXT is empty/],
  [["kitchen", "two", "words"], /Unexpected argument "words"/],
  [["kitchen", "Hi.", "--emotion", "furious"], /--emotion is one of .*happy/],
  [["kitchen", "Hi.", "--language", "xx_yy"], /--language is a BCP 47 tag/],
  [["kitchen", "Hi.", "--timeout", "0"], /--timeout is a number from 1 to 3600/],
  [["a.b", "Hi."], /device-id must be 1 to 64 characters/],
])("say: %j is wrong usage", async (args, problem) => {
  const { code, stderr } = await runCli(["say", ...args], env());
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
});

test("say: only --wait needs the permission to hear the device's events, and it is checked before anything is said", async () => {
  const config = `authorization { users: [
    { user: admin, password: a },
    { user: speaker, password: s, permissions { subscribe { allow: ["_INBOX.>"] } } }
  ] }`;
  const guarded = await startNatsServer({ config });
  const login = (user: string) => guarded.url.replace("//", `//${user}:${user[0]}@`);
  const admin = await connectTestBus(login("admin"));
  const own = { VOXBUS_NATS_URL: login("speaker") };
  const waiting = await runCli(["say", "cellar", "One.", "--wait"], own);
  expect([waiting.code, waiting.stderr]).toEqual([
    1,
    expect.stringContaining("hear how the announcement ends on cellar"),
  ]);
  expect(await runCli(["say", "cellar", "Two."], own)).toMatchObject({ code: 0, stderr: "" });
  const { messages } = await admin.stored(channels.sayOpen("cellar"), 10);
  expect(messages.map(({ text }) => text)).toEqual(["Two."]);
  await admin.close();
  await guarded.stop();
});

test("say: a sentence that readers would drop is wrong usage", async () => {
  const { code, stderr } = await runCli(["say", "kitchen", "a".repeat(65_537)], env());
  const problem = "TEXT: expected a sentence of 1 to 65536 characters, got 65537.";
  expect([code, stderr]).toEqual([2, expect.stringContaining(problem)]);
});

test("say: with --keep the whole text is one sentence, to be kept that long", async () => {
  const { code } = await runCli(["say", "attic", "Dinner is ready. Come down.", "--keep", "3600"], env());
  const sentence = await said.take(({ device }) => device === "attic");
  expect(code).toBe(0);
  expect(sentence).toMatchObject({ text: "Dinner is ready. Come down.", last: true, keepMs: 3_600_000 });
});

test.each([["604801"], ["60", "--wait"]])("say: --keep %s is refused", async (...options) => {
  const { code, stderr } = await runCli(["say", "attic", "Dinner.", "--keep", ...options], env());
  expect(code).toBe(2);
  expect(stderr).toContain("--keep");
});
