import { setTimeout as sleep } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { buckets, channels, type InText } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LlmEngine } from "./engines/engine.ts";
import { createHistory } from "./history.ts";
import { createInput, createWorker, delivery, readSays, readTexts } from "./test-turn.ts";
import type { Devices } from "./turn-deps.ts";
import { earlierMs } from "./turn-input.ts";

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

test("turn: the final delivery only apologizes, in the turn's language", async () => {
  const { answer, requests } = createWorker(bus, ["Hello."]);
  const input = createInput({ delivery: { ...delivery, final: true, attempt: 4 }, language: "zh-CN" });
  expect(await answer(input)).toBe("failed");
  expect(requests).toEqual([]);
  expect(await readTexts(bus, input.device)).toEqual([["抱歉，我现在无法回答。", true]]);
});

test("turn: a turn that is answered is not answered again", async () => {
  const { answer, requests } = createWorker(bus, ["Hello."]);
  const input = createInput();
  expect(await answer(input)).toBe("answered");
  expect(await answer({ ...input, delivery: { ...delivery, attempt: 2 } })).toBe("answered before");
  expect(requests).toHaveLength(1);
  expect(await readTexts(bus, input.device)).toEqual([["Hello.", true]]);
});

test("turn: if the end was not known with the last sentence, an end mark follows", async () => {
  const input = createInput();
  await createWorker(bus, ["Hello. ", "😊", "\n"]).answer(input);
  expect(await readTexts(bus, input.device)).toEqual([
    ["Hello.", false],
    ["", true],
  ]);
});

test.each([
  ["code and an emoji", ["```js\n1 + 1\n```", "😊"], "happy"],
  ["thoughts", ["<think>Nothing.</think>"], undefined],
  ["no text", [], undefined],
])("turn: an answer of %s has nothing to say, which is no failure", async (_, texts, emotion) => {
  const { answer, warnings } = createWorker(bus, texts);
  const input = createInput();
  expect(await answer(input)).toBe("nothing-to-say");
  expect(warnings).toEqual([]);
  expect(await readSays(bus, input.device)).toMatchObject([{ text: "", last: true, outcome: "nothing-to-say" }]);
  expect((await readSays(bus, input.device))[0]?.emotion).toBe(emotion);
});

test("turn: an answer that is cut before its first word is a failure", async () => {
  const thinking: LlmEngine = {
    name: "thinking",
    async *respond() {
      yield { type: "text", text: "<think>So much to" };
      yield { type: "cut", reason: "length" };
    },
  };
  const input = createInput();
  expect(await createWorker(bus, [], { engine: thinking }).answer(input)).toBe("failed");
  expect(await readSays(bus, input.device)).toMatchObject([
    { text: expect.stringContaining("sorry"), outcome: "failed" },
  ]);
});

test("turn: speech whose recognizer failed gets an apology without the model, unless a question waits", async () => {
  const { answer, requests } = createWorker(bus, ["Yes."]);
  const input = createInput({ text: "", reason: "failed" });
  expect(await answer(input)).toBe("failed");
  expect(requests).toEqual([]);
  expect(await readSays(bus, input.device)).toMatchObject([
    { text: "I am sorry, I cannot answer right now.", outcome: "failed" },
  ]);
  const typed: InText = { session: input.session, seq: 11, at: 0, kind: "text", body: "open" };
  await bus.store(channels.inText(input.device), typed);
  expect(await answer({ ...input, origin: 20 })).toBe("answered");
  expect(requests.map(({ text }) => text)).toEqual(["open"]);
});

test("turn: a device that is offline gets no answer, and neither does a fenced turn", async () => {
  const input = createInput();
  const { answer, fence } = createWorker(bus, ["Hello."]);
  expect(await createWorker(bus, ["Hello."], { presenceOf: async () => undefined }).answer(input)).toBe("offline");
  fence(input.session, 10);
  expect(await answer(input)).toBe("fenced");
  expect(await readTexts(bus, input.device)).toEqual([]);
  expect(await createHistory(bus).read(input.device)).toMatchObject([
    { role: "user", text: "hi" },
    { role: "assistant", text: "", end: "interrupted" },
  ]);
});

test("turn: it ends when its session is gone", async () => {
  let lose = () => {};
  const follow: Devices["follow"] = (_, gone) => {
    lose = gone;
    return { close: () => undefined };
  };
  const hanging: LlmEngine = {
    name: "hanging",
    async *respond(_, signal) {
      yield { type: "text", text: "Well. " };
      setTimeout(lose, 10);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  const input = createInput();
  expect(await createWorker(bus, [], { engine: hanging, answerMs: 5000, follow }).answer(input)).toBe("offline");
  expect(await createHistory(bus).read(input.device)).toMatchObject([
    { role: "user", text: "hi" },
    { role: "assistant", text: "", end: "interrupted" },
  ]);
});

test("turn: an apology is not kept as the model's own words, and neither is rejected speech", async () => {
  const input = createInput();
  const failing: LlmEngine = {
    name: "failing",
    async *respond() {
      yield { type: "text", text: "Well. So " };
      throw new Error("broken");
    },
  };
  expect(await createWorker(bus, [], { engine: failing }).answer(input)).toBe("failed");
  expect(await createWorker(bus, ["Pardon?"]).answer({ ...input, origin: 20, text: "", reason: "unrecognized" })).toBe(
    "answered",
  );
  expect(await createHistory(bus).read(input.device)).toMatchObject([
    { role: "user", text: "hi" },
    { role: "assistant", text: "Well. So", end: "failed" },
  ]);
});

test("turn: a tool that ran before an abort stays in the history, with the question and its result", async () => {
  const calling = (onCalled: () => void): LlmEngine => ({
    name: "calling",
    async *respond({ device }, signal) {
      await device.tools.call("self.lamp", { on: true }).catch(() => undefined);
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      onCalled();
      await aborted;
      yield* [];
    },
  });
  const input = createInput({ text: "turn on the lamp" });
  const worker = createWorker(bus, [], { engine: calling(() => worker.fence(input.session, 10)) });
  expect(await worker.answer(input)).toBe("fenced");
  expect(await createHistory(bus).read(input.device)).toMatchObject([
    { role: "user", text: "turn on the lamp" },
    {
      role: "assistant",
      text: "",
      end: "interrupted",
      calls: [{ name: "self.lamp", args: '{"on":true}', text: expect.stringMatching(/^Error: /) }],
    },
  ]);
});

test("turn: a successor that finds its turn fenced keeps what the worker before it had said", async () => {
  const input = createInput();
  await createWorker(bus, ["One. ", "Two. "]).answer(input);
  await bus.bucket(buckets.dialogues).remove(input.device);
  const { answer, fence } = createWorker(bus, []);
  fence(input.session, 10);
  expect(await answer({ ...input, delivery: { ...delivery, attempt: 2 } })).toBe("fenced");
  expect((await createHistory(bus).read(input.device)).map(({ text }) => text)).toEqual(["hi", "One. Two."]);
});

test("turn: an engine that never ends leads to an apology", async () => {
  const hanging: LlmEngine = {
    name: "hanging",
    async *respond(_, signal) {
      yield { type: "text", text: "Well, " };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  const { answer, runs } = createWorker(bus, [], { engine: hanging, answerMs: 100 });
  expect(await answer(createInput())).toBe("failed");
  expect(runs).toMatchObject([{ engine: "hanging", failed: true }]);
});

test("turn: earlier turns without an answer are answered too, but not old, answered or fenced ones", async () => {
  const { session, device } = createInput();
  const type = (seq: number, body: string) => {
    const text: InText = { session, seq, at: 0, kind: "text", body };
    return bus.store(channels.inText(device), text);
  };
  await type(9, "too long ago");
  await sleep(10);
  const input = createInput({
    session,
    device,
    origin: 50,
    delivery: { ...delivery, storedAt: Date.now() + earlierMs },
  });
  await sleep(10);
  await type(10, "answered");
  await type(20, "fenced");
  await type(30, "open");
  const { answer, fence, requests } = createWorker(bus, ["Yes."]);
  await answer({ ...input, origin: 10, text: "answered" });
  fence(input.session, 20);
  await answer({ ...input, text: "", reason: "unrecognized" });
  expect(requests.map(({ text }) => text)).toEqual(["answered", "open"]);
  expect(requests[1]?.history.map(({ text }) => text)).toEqual(["answered", "Yes."]);
});
