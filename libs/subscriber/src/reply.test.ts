import { setTimeout as delay } from "node:timers/promises";
import { createInbox } from "@voxbus/testing";
import { channels, type InControlFrame, type Outbound, type Say, type TurnPlayed } from "@voxbus/protocol";
import { ulid } from "ulid";
import { expect, onTestFinished, test, vi } from "vitest";
import { FencedError, joinSentences, LostReplyError } from "./index.ts";
import { useTestPrograms } from "./test-programs.ts";

const programs = useTestPrograms();

/** A turn of a device of its own, and what is said and sent to it. */
async function openTurn() {
  const device = `d-${ulid()}`;
  const turn = { device, session: ulid(), origin: 7 };
  const said = createInbox<Say>();
  const out = createInbox<Outbound>();
  for (const channel of [channels.sayOpen(device), channels.say(device)])
    programs.gateway.subscribe({ ...channel, subject: `stored.${channel.subject}` }, (say) => said.put(say));
  programs.gateway.subscribe(channels.out(device), (frame) => out.put(frame));
  await programs.gateway.flush();
  const control = async (body: InControlFrame["body"]) => {
    await programs.gateway.store(channels.inControl(device), {
      session: turn.session,
      seq: 20,
      at: 1,
      kind: "control",
      body,
    });
  };
  return { turn, said, out, control };
}

test("reply: a text is stored with the turn's origin, in sentences, the last one marked", async () => {
  const { context } = await programs.open();
  const { turn, said, out } = await openTurn();
  const { session, origin } = turn;
  const long = "The kettle has boiled and the tea is on the table. ".repeat(5).trim();
  expect(await context.reply(turn).say(long, { emotion: "happy", language: "en" })).toBe(true);
  await said.find(({ last }) => last);
  expect(said.items.map(({ text }) => text).join(" ")).toBe(long);
  expect(said.items.length).toBeGreaterThan(1);
  for (const [sentence, say] of said.items.entries())
    expect(say).toEqual({
      session,
      origin,
      reply: `${session}:${origin}`,
      attempt: 1,
      sentence,
      text: expect.any(String),
      emotion: "happy",
      language: "en",
      last: sentence === said.items.length - 1,
    });
  expect(out.items[0]).toMatchObject({ session, origin, kind: "control", body: { type: "working" } });
});

test("reply: a sentence is stored before the next one is made", async () => {
  const { context } = await programs.open();
  const { turn, said } = await openTurn();
  async function* answer() {
    yield "One.";
    await said.find(({ text }) => text === "One.");
    yield "Two.";
  }
  expect(await context.reply(turn).say(answer())).toBe(true);
  await said.find(({ last }) => last);
  expect(said.items.map(({ text }) => text)).toEqual(["One.", "Two.", ""]);
});

test("reply: at the fence it stops, also while its source hangs, and the signs of life cease", async () => {
  const { context } = await programs.open();
  const { turn, said, out, control } = await openTurn();
  async function* answer() {
    yield "One.";
    await new Promise(() => undefined);
  }
  const reply = context.reply(turn);
  const done = reply.say(answer());
  await said.find(({ text }) => text === "One.");
  await control({ type: "fence", fence: turn.origin });
  expect(await done).toBe(false);
  expect(reply.signal.reason).toBeInstanceOf(FencedError);
  expect(await reply.sentence("Two.")).toBe(false);
  expect(await reply.end()).toBe(false);
  const signs = out.items.length;
  // The signs come every second.
  await delay(1200);
  expect(out.items).toHaveLength(signs);
  expect(said.items.map(({ text }) => text)).toEqual(["One."]);
});

test("reply: of two programs that answer a turn, one is told that it lost", async () => {
  const [one, other] = await Promise.all([programs.open({ name: "one" }), programs.open({ name: "other" })]);
  const { turn, said } = await openTurn();
  const replies = [one.context.reply(turn), other.context.reply(turn)];
  const results = await Promise.all(replies.map((reply, n) => reply.say(`I am number ${n}.`)));
  expect(new Set(results)).toEqual(new Set([false, true]));
  const lost = replies[results.indexOf(false)]!;
  expect(lost.signal.reason).toBeInstanceOf(LostReplyError);
  await said.find(({ last }) => last);
  expect(said.items).toHaveLength(1);
  expect(await one.context.reply(turn).say("Once more.")).toBe(false);
});

test("reply: another attempt goes on after the sentences that are stored", async () => {
  const { context } = await programs.open();
  const { turn, said } = await openTurn();
  const first = context.reply(turn);
  await first.sentence("One.");
  await first.sentence("Two.");
  expect(await context.reply({ ...turn, attempt: 2 }).say(["One.", "Two.", "Three."])).toBe(true);
  await said.find(({ last }) => last);
  expect(said.items.map(({ text, attempt, sentence }) => [text, attempt, sentence])).toEqual([
    ["One.", 1, 0],
    ["Two.", 1, 1],
    ["Three.", 2, 2],
    ["", 2, 3],
  ]);
});

test("reply: blank sentences are passed over, and the pieces of a text are said as its sentences", async () => {
  const { context } = await programs.open();
  const { turn, said } = await openTurn();
  const pieces = ["\n", "It is", " ten. ", " ", "Go", " on", ".", "\n"];
  expect(await context.reply(turn).say(joinSentences(pieces))).toBe(true);
  const other = await openTurn();
  expect(await context.reply(other.turn).say(["One.", " ", "\n"])).toBe(true);
  for (const inbox of [said, other.said]) await inbox.find(({ last }) => last);
  expect(said.items.map(({ text }) => text)).toEqual(["It is ten.", "Go on.", ""]);
  expect(other.said.items.map(({ text }) => text)).toEqual(["One.", ""]);
});

test("reply: a source that fails leaves the answer open for an apology", async () => {
  const { context } = await programs.open();
  const { turn, said } = await openTurn();
  const reply = context.reply(turn);
  async function* answer() {
    yield "One.";
    await Promise.reject(new Error("the model failed"));
  }
  await expect(reply.say(answer())).rejects.toThrow("the model failed");
  expect(await reply.fail("I am sorry.")).toBe(true);
  await expect(reply.sentence("More.")).rejects.toThrow("has ended");
  await said.find(({ last }) => last);
  expect(said.items.at(-1)).toMatchObject({ text: "I am sorry.", outcome: "failed", emotion: "sad" });
});

test("reply: without a sentence the turn has nothing to say", async () => {
  const { context } = await programs.open();
  const { turn, said } = await openTurn();
  expect(await context.reply(turn).end()).toBe(true);
  const outcome: TurnPlayed["reason"] = "nothing-to-say";
  expect(await said.find(({ last }) => last)).toMatchObject({ text: "", outcome, sentence: 0 });
});

test("reply: to a turn that cannot be is refused, and no sign of life follows", async () => {
  const { context } = await programs.open();
  const timers = vi.spyOn(globalThis, "setInterval");
  onTestFinished(() => timers.mockRestore());
  expect(() => context.reply({ device: "d1", session: "a b", origin: 1 })).toThrow(/^session: must be 1 to 64/);
  expect(timers).not.toHaveBeenCalled();
});

test.each([
  ["an empty text", " ", {}, "expected a sentence of 1 to 65536 characters"],
  ["a text that is too long", "x".repeat(65_537), {}, "got 65537"],
  ["a language that does not exist", "Hello.", { language: "en_US" }, "BCP 47"],
  ["an emotion that does not exist", "Hello.", { emotion: "bored" as "sad" }, /^emotion: .*"happy"/],
])("reply: %s is refused, and the answer goes on", async (_, text, manner, message) => {
  const { context } = await programs.open();
  const { turn, said } = await openTurn();
  const reply = context.reply(turn);
  await expect(reply.sentence(text, manner)).rejects.toThrow(message);
  expect(await reply.say("Hello.")).toBe(true);
  expect(await said.find(({ last }) => last)).toMatchObject({ text: "Hello.", sentence: 0 });
});
