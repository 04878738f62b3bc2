import type { Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Message } from "./engines/engine.ts";
import { createHistory, type TurnPart } from "./history.ts";

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

const turn = (origin: number, rest: Partial<TurnPart> = {}): TurnPart => {
  return { session: "s", origin, at: 1, user: `question ${origin}`, said: [`answer ${origin}`], ...rest };
};
const textsOf = (messages: readonly Message[]) => messages.map(({ text }) => text);

test("history: the newest 50 turns stay, also when two workers add at the same time", async () => {
  const history = createHistory(bus, 100_000);
  expect(await history.read("aa:bb:cc:dd:ee:ff")).toEqual([]);
  for (let i = 1; i <= 49; i++) await history.add("aa:bb:cc:dd:ee:ff", turn(i));
  await Promise.all([100, 101].map((origin) => history.add("aa:bb:cc:dd:ee:ff", turn(origin))));
  const texts = textsOf(await history.read("aa:bb:cc:dd:ee:ff"));
  expect(texts).toHaveLength(100);
  expect(texts[0]).toBe("question 2");
  expect(texts.slice(-4).sort()).toEqual(["answer 100", "answer 101", "question 100", "question 101"]);
});

test.each([
  ["before", [0, 1]],
  ["after", [1, 0]],
] as const)("history: the end of an answer that is known %s its sentences cuts it there", async (when, order) => {
  const history = createHistory(bus);
  const parts: TurnPart[] = [
    { session: "s", origin: 5, heard: 1, end: "interrupted" },
    turn(5, { said: ["One.", "Two.", "Three."], calls: [{ name: "lamp", args: "{}", text: "on" }] }),
  ];
  for (const index of order) await history.add(when, parts[index]!);
  // The next worker with this turn knows less.
  await history.add(when, turn(5, { said: [], end: "failed" }));
  expect(await history.read(when)).toEqual([
    { role: "user", text: "question 5", at: expect.any(Number) },
    {
      role: "assistant",
      text: "One.",
      at: expect.any(Number),
      end: "interrupted",
      calls: [{ name: "lamp", args: "{}", text: "on" }],
    },
  ]);
});

test("history: an answer that was played to its end stays whole when its turn is taken up again", async () => {
  const history = createHistory(bus);
  await history.add("whole", turn(5));
  await history.add("whole", turn(5, { said: [], end: "interrupted" }));
  expect((await history.read("whole"))[1]).toEqual({ role: "assistant", text: "answer 5", at: 1, calls: [] });
});

test("history: an end without a question gives no messages", async () => {
  const history = createHistory(bus);
  await history.add("stub", { session: "s", origin: 5, heard: 0, end: "failed" });
  expect(await history.read("stub")).toEqual([]);
});

test("history: it never exceeds 32 KiB, whatever is said and called", async () => {
  const history = createHistory(bus, 100_000);
  const calls = Array.from({ length: 20 }, () => ({
    name: "a",
    args: JSON.stringify("b".repeat(2000)),
    text: "é".repeat(9000),
  }));
  for (const [i, text] of ["a", "b", "\u0001", "é"].entries())
    await history.add(
      "long",
      turn(i + 1, { user: text.repeat(61_000), said: [text.repeat(3000), text.repeat(3000)], calls }),
    );
  await history.add("long", turn(9, { user: "the last" }));
  const messages = await history.read("long");
  expect(textsOf(messages).slice(-2)).toEqual(["the last", "answer 9"]);
  expect(messages.length).toBeGreaterThanOrEqual(4);
  expect(Buffer.byteLength(JSON.stringify((await bus.bucket(buckets.dialogues).get("long"))?.value))).toBeLessThan(
    33_000,
  );
  const [, answer] = messages.slice(-4);
  if (answer?.role !== "assistant") throw new Error("expected an answer");
  expect(answer.calls).toHaveLength(6);
  expect(answer.calls![0]).toEqual({ name: "a", args: "{}", text: "é".repeat(1024) });
});

test("history: it is given up to a number of tokens, whole turns only, and begins with a question", async () => {
  const history = createHistory(bus, 250);
  const latin = turn(1, { user: "a".repeat(100), said: ["b".repeat(100)] });
  await history.add("tokens", { ...latin, calls: [{ name: "lamp", args: "{}", text: "c".repeat(200) }] });
  await history.add("tokens", { ...latin, origin: 2 });
  expect(textsOf(await history.read("tokens"))).toHaveLength(4);
  await history.add("tokens", turn(3, { user: "灯", said: ["好".repeat(100)] }));
  expect(textsOf(await history.read("tokens"))).toEqual(["a".repeat(100), "b".repeat(100), "灯", "好".repeat(100)]);
  expect(await createHistory(bus, 0).read("tokens")).toEqual([]);
});

test("history: entries of older versions are read, and new turns follow them", async () => {
  const messages = [
    { role: "assistant" as const, text: "left over", at: 1 },
    { role: "user" as const, text: "old", at: 1 },
    { role: "assistant" as const, text: "older", at: 1 },
  ];
  await bus.bucket(buckets.dialogues).put("old", { messages });
  const history = createHistory(bus);
  await history.add("old", turn(3));
  expect(textsOf(await history.read("old"))).toEqual(["old", "older", "question 3", "answer 3"]);
});

test("history: a full bucket refuses new devices quietly, and keeps those that it has", async () => {
  const sizes = { VOXBUS_DEVICE_IN_MB: 16, VOXBUS_TURNS_MB: 16, VOXBUS_BUCKETS_MB: 16 };
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const small = await connectTestBus(server.url, { config: sizes });
  const history = createHistory(small, 100_000);
  const text = "a".repeat(2000);
  const calls = Array.from({ length: 6 }, () => ({ name: "a", args: "{}", text: "a".repeat(1024) }));
  const long = turn(1, { user: text, said: [text], calls });
  await Promise.all(Array.from({ length: 600 }, (_, n) => history.add(`d${n}`, long)));
  const kept = await Promise.all(Array.from({ length: 600 }, (_, n) => history.read(`d${n}`)));
  expect(kept.filter((messages) => messages.length > 0).length).toBeGreaterThan(100);
  expect(small.stats().full).toBe(kept.filter((messages) => messages.length === 0).length);
  expect(small.stats().full).toBeGreaterThan(10);
  await small.close();
});

test("history: a turn does not find itself in it, nor what came after it in its session", async () => {
  const history = createHistory(bus);
  for (const origin of [10, 20, 30]) await history.add("own", turn(origin));
  await history.add("own", turn(20, { session: "later", user: "in a later session", said: [] }));
  const texts = textsOf(await history.read("own", { session: "s", origin: 20 }));
  expect(texts).toEqual(["question 10", "answer 10", "in a later session", ""]);
});
