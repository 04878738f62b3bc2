import type { Bus } from "@voxbus/bus";
import { channels, shadowOf, type Heard, type Say } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from "vitest";
import { countWordErrors, splitWords } from "./compare.ts";
import { createReplies } from "./replies.ts";
import { createShadows, type Shadows } from "./shadows.ts";
import { createWaiting } from "./waiting.ts";

let nats: NatsServer;
let bus: Bus;
let shadows: Shadows;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
beforeEach(async () => {
  shadows = createShadows(bus);
  await bus.flush();
});
afterEach(() => shadows.close());
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

let sessions = 0;
const device = "d1";
const heardAt = (session: string, from: number, text: string): Heard => {
  return { session, listen: 1, utterance: from, from, origin: from + 5, text, language: "en" };
};
const hear = (heard: Heard) => bus.store(channels.heard(device), heard, { id: `${heard.session}:${heard.from}` });
const hearAs = (name: string, heard: Heard) => bus.publish(shadowOf(channels.heard(device), name), heard);
const newSession = () => `s${(sessions += 1)}-${process.pid}`;

test("shadows: transcripts are compared by speech, also with other ends and in any order", async () => {
  const session = newSession();
  hearAs("next", heardAt(session, 10, "Turn on the light!"));
  await hear(heardAt(session, 11, "turn on the light"));
  await hear(heardAt(session, 30, "what time is it"));
  hearAs("next", heardAt(session, 28, "what lime is it"));
  hearAs("next", heardAt(session, 90, "no counterpart"));
  await expect.poll(() => shadows.list()[0]?.compared).toBe(2);
  const [view] = shadows.list();
  expect(view).toMatchObject({ name: "next", program: "asr", equal: 0.5, wordErrors: 1 / 8, missing: 0 });
  expect(view!.laterMs!.p50).toBeTypeOf("number");
  expect(JSON.stringify(shadows.list())).not.toContain("light");
});

test("shadows: whole replies are compared, announcements are not, and each shadow is on its own", async () => {
  const session = newSession();
  const say = (sentence: number, text: string, last: boolean): Say => {
    return { session, origin: 9, reply: `${session}:9`, attempt: 1, sentence, text, last };
  };
  const first = { ...say(0, "An announcement.", true), reply: `a-${session}`, session: undefined, origin: undefined };
  bus.publish(shadowOf(channels.sayOpen(device), "slow"), first);
  await bus.store(channels.sayOpen(device), say(0, "It is noon.", false));
  await bus.store(channels.say(device), say(1, "Anything else?", true));
  for (const [name, text] of [
    ["slow", "It is noon."],
    ["other", "No."],
  ] as const) {
    bus.publish(shadowOf(channels.sayOpen(device), name), say(0, text, false));
    bus.publish(shadowOf(channels.say(device), name), say(1, "Anything else?", true));
  }
  await expect.poll(() => shadows.list().map(({ compared }) => compared)).toEqual([1, 1]);
  expect(shadows.list()).toMatchObject([
    { name: "slow", program: "dialogue", equal: 1, wordErrors: 0 },
    { name: "other", program: "dialogue", equal: 0, wordErrors: 3 / 5 },
  ]);
});

test("shadows: a crowd of names is bounded", async () => {
  const session = newSession();
  for (let n = 0; n < 40; n += 1) hearAs(`n${n}`, heardAt(session, 10, "hello"));
  await hear(heardAt(session, 10, "hello"));
  await expect.poll(() => shadows.list().filter(({ compared }) => compared === 1)).toHaveLength(16);
});

test("shadows: a flood of results of one shadow is bounded and counted, and leaves the others their comparisons", async () => {
  const session = newSession();
  for (let n = 0; n < 20_000; n += 1) hearAs("flood", heardAt(`${session}-${n}`, 10, "hello"));
  hearAs("next", heardAt(session, 10, "hello"));
  await hear(heardAt(session, 10, "hello"));
  await expect.poll(() => shadows.list().find(({ name }) => name === "next")?.compared).toBe(1);
  expect(shadows.list().find(({ name }) => name === "flood")?.extra).toBe(18_000);
});

test("shadows: of one place 16 results wait, and a reply without end keeps 2,000 characters", () => {
  const waiting = createWaiting();
  const result = (from: number) => ({ place: "a", span: [from, from] as const, text: "", at: performance.now() });
  expect(Array.from({ length: 20 }, (_, at) => waiting.add(result(at))).filter(Boolean)).toHaveLength(4);
  expect(waiting.take(result(3))).toBeUndefined();
  expect(waiting.take(result(4))?.span).toEqual([4, 4]);
  expect(waiting.sweep(performance.now() + 100_000)).toBe(15);
  expect(waiting.size()).toBe(0);

  const replies = createReplies();
  const say = { session: "s", origin: 1, reply: "s:1", attempt: 1, text: "word ".repeat(10_000) };
  for (let sentence = 0; sentence < 100; sentence += 1) replies.add({ ...say, sentence, last: false });
  expect(replies.add({ ...say, sentence: 100, last: true })?.text).toHaveLength(2000);
});

test("shadows: a notice that a turn takes long is no part of its reply, and a reply without engines is compared whole", () => {
  const replies = createReplies();
  const say = { session: "s", origin: 1, reply: "s:1", attempt: 1, sentence: 0, last: false } as const;
  const add = (text: string, rest: Partial<Say> = {}) => replies.add({ ...say, text, ...rest });
  const llm = { engine: "llm" } as const;
  add("One moment please.");
  const before = performance.now();
  add("It is noon.", llm);
  add("One moment please.");
  const whole = add("Anything else?", { ...llm, last: true });
  expect(whole?.text.trim()).toBe("It is noon. Anything else?");
  expect(whole?.at).toBeGreaterThanOrEqual(before);
  add("One moment please.");
  expect(add("I am sorry.", { outcome: "failed", last: true })?.text.trim()).toBe("I am sorry.");
  add("One.");
  expect(add("Two.", { last: true })?.text.trim()).toBe("One. Two.");
});

test.each([
  ["What's this?", "whats this", 1],
  ["one two three", "one three", 1],
  ["今天天气很好", "今天 天气好", 1],
  ["", "a b", 2],
  ["Hello, World", "hello world", 0],
])("word errors: %j beside %j are %i", (one, other, expected) => {
  expect(countWordErrors(splitWords(one), splitWords(other))).toBe(expected);
});
