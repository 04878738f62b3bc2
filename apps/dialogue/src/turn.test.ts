import { setTimeout as sleep } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { buckets, channels, type InText, type Presence, Profile } from "@voxbus/protocol";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDeviceTools } from "./device-tools.ts";
import type { AnswerRequest, Delta, LlmEngine } from "./engines/engine.ts";
import { createFences } from "./fences.ts";
import { createHistory } from "./history.ts";
import type { EngineRun } from "./metrics.ts";
import type { Devices, TurnDeps } from "./turn-deps.ts";
import { earlierMs, type Delivery, type TurnInput } from "./turn-input.ts";
import { answerTurn } from "./turn.ts";

const never = new AbortController().signal;
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

interface WorkerOptions {
  readonly engine?: LlmEngine;
  readonly presenceOf?: Devices["presenceOf"];
  readonly follow?: Devices["follow"];
  readonly answerMs?: number;
  readonly momentMs?: number;
}

/** A worker whose engine answers with `texts`; the requests, log lines and engine runs that it collects. */
function createWorker(texts: readonly string[], options: WorkerOptions = {}) {
  const requests: AnswerRequest[] = [];
  const warnings: string[] = [];
  const runs: EngineRun[] = [];
  const engine: LlmEngine = {
    name: "test",
    async *respond(request) {
      requests.push(request);
      for (const text of texts) yield { type: "text", text };
    },
  };
  const deps: TurnDeps = {
    bus,
    log: { ...silentLog, warn: (_, message) => warnings.push(message) },
    metrics: {
      firstToken: () => undefined,
      firstSentence: () => undefined,
      engineRan: (run) => runs.push(run),
      turnEnded: () => undefined,
      modelRefused: () => undefined,
      toolFieldsLeftOut: () => undefined,
    },
    settings: { answerMs: options.answerMs ?? 1000, momentMs: options.momentMs ?? 0, traceContent: false },
    fences: createFences(),
    devices: {
      profileOf: () => Profile.parse({}),
      presenceOf: options.presenceOf ?? (async () => ({ features: {} }) as Presence),
      follow: options.follow ?? (() => ({ close: () => undefined })),
      tools: createDeviceTools(bus, { timeoutMs: 1000, listMs: 1000 }),
      reminders: { of: () => ({ schedule: async () => undefined, cancel: async () => 0 }), close: () => undefined },
    },
    history: createHistory(bus),
    engineOf: () => options.engine ?? engine,
  };
  const answer = (input: TurnInput) => answerTurn(input, deps, () => undefined, never);
  const fence = (session: string, seq: number) =>
    deps.fences.handle({
      session,
      seq: seq + 1,
      at: 0,
      kind: "control",
      body: { type: "fence", fence: seq },
    });
  return { answer, fence, requests, warnings, runs };
}

const delivery: Delivery = { attempt: 1, storedAt: Date.now(), final: false, claimedAt: performance.now(), trace: {} };
function createInput(rest: Partial<TurnInput> = {}): TurnInput {
  const session = ulid();
  return { device: `test-${session}`, session, origin: 10, text: "hi", delivery, ...rest };
}

async function readTexts(device: string) {
  const stored = await Promise.all(
    [channels.sayOpen(device), channels.say(device)].map((subject) => bus.stored(subject, 100)),
  );
  return stored.flatMap(({ messages }) => messages.map(({ text, last }) => [text, last]));
}

test("turn: the final delivery only apologizes, in the turn's language", async () => {
  const { answer, requests } = createWorker(["Hello."]);
  const input = createInput({ delivery: { ...delivery, final: true, attempt: 4 }, language: "zh-CN" });
  expect(await answer(input)).toBe("apologized");
  expect(requests).toEqual([]);
  expect(await readTexts(input.device)).toEqual([["抱歉，我现在无法回答。", true]]);
});

test("turn: a turn that is answered is not answered again", async () => {
  const { answer, requests } = createWorker(["Hello."]);
  const input = createInput();
  expect(await answer(input)).toBe("answered");
  expect(await answer({ ...input, delivery: { ...delivery, attempt: 2 } })).toBe("answered before");
  expect(requests).toHaveLength(1);
  expect(await readTexts(input.device)).toEqual([["Hello.", true]]);
});

test("turn: if the end was not known with the last sentence, an end mark follows", async () => {
  const input = createInput();
  await createWorker(["Hello. ", "😊", "\n"]).answer(input);
  expect(await readTexts(input.device)).toEqual([
    ["Hello.", false],
    ["", true],
  ]);
});

test("turn: an answer that cannot be spoken becomes an apology", async () => {
  const { answer, warnings } = createWorker(["```js\n1 + 1\n```", "😊"]);
  const input = createInput();
  expect(await answer(input)).toBe("apologized");
  expect(warnings).toEqual(["turn failed, apologizing"]);
  expect(await readTexts(input.device)).toEqual([["I am sorry, I cannot answer right now.", true]]);
});

test("turn: a device that is offline gets no answer, and neither does a fenced turn", async () => {
  const input = createInput();
  const { answer, fence } = createWorker(["Hello."]);
  expect(await createWorker(["Hello."], { presenceOf: async () => undefined }).answer(input)).toBe("offline");
  fence(input.session, 10);
  expect(await answer(input)).toBe("fenced");
  expect(await readTexts(input.device)).toEqual([]);
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
  expect(await createWorker([], { engine: hanging, answerMs: 5000, follow }).answer(input)).toBe("offline");
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
  expect(await createWorker([], { engine: failing }).answer(input)).toBe("apologized");
  expect(await createWorker(["Pardon?"]).answer({ ...input, origin: 20, text: "", reason: "unrecognized" })).toBe(
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
  const worker = createWorker([], { engine: calling(() => worker.fence(input.session, 10)) });
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
  await createWorker(["One. ", "Two. "]).answer(input);
  await bus.bucket(buckets.dialogues).remove(input.device);
  const { answer, fence } = createWorker([]);
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
  const { answer, runs } = createWorker([], { engine: hanging, answerMs: 100 });
  expect(await answer(createInput())).toBe("apologized");
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
  const { answer, fence, requests } = createWorker(["Yes."]);
  await answer({ ...input, origin: 10, text: "answered" });
  fence(input.session, 20);
  await answer({ ...input, text: "", reason: "unrecognized" });
  expect(requests.map(({ text }) => text)).toEqual(["answered", "open"]);
  expect(requests[1]?.history.map(({ text }) => text)).toEqual(["answered", "Yes."]);
});

/** An engine whose answer takes 500 ms. */
function createSlowEngine(respond: () => Iterable<Delta>): LlmEngine {
  return {
    name: "slow",
    async *respond() {
      await sleep(500);
      yield* respond();
    },
  };
}

test.each([
  ["en-US", "One moment please."],
  ["de", "Einen Moment bitte."],
  ["zh-CN", "请稍等。"],
  ["sw", "One moment please."],
])(
  "moment: a turn without an answer says so once (%s), and the history has only the answer",
  async (language, moment) => {
    const engine = createSlowEngine(() => [{ type: "text", text: "Hello there." }]);
    const { answer } = createWorker([], { engine, momentMs: 100 });
    const input = createInput({ language, delivery: { ...delivery, claimedAt: performance.now() } });
    expect(await answer(input)).toBe("answered");
    expect(await readTexts(input.device)).toEqual([
      [moment, false],
      ["Hello there.", true],
    ]);
    expect((await createHistory(bus).read(input.device)).map(({ text }) => text)).toEqual(["hi", "Hello there."]);
  },
);

test("moment: a turn that fails after it apologizes as if it had said nothing", async () => {
  const engine = createSlowEngine(() => {
    throw new Error("broken");
  });
  const { answer } = createWorker([], { engine, momentMs: 100 });
  const input = createInput({ delivery: { ...delivery, claimedAt: performance.now() } });
  expect(await answer(input)).toBe("apologized");
  expect(await readTexts(input.device)).toEqual([
    ["One moment please.", false],
    ["I am sorry, I cannot answer right now.", true],
  ]);
});

test("moment: a worker that takes the turn up does not say it again, and answers from the beginning", async () => {
  const input = createInput({ delivery: { ...delivery, attempt: 2, claimedAt: performance.now() } });
  const { device, session, origin } = input;
  const say = {
    session,
    origin,
    reply: `${session}:${origin}`,
    attempt: 1,
    sentence: 0,
    text: "One moment please.",
    last: false,
  };
  await bus.store(channels.sayOpen(device), say);
  const worker = createWorker(["Hello there."], { momentMs: 1 });
  expect(await worker.answer(input)).toBe("answered");
  expect(worker.requests.map(({ spoken }) => spoken)).toEqual([""]);
  expect(await readTexts(device)).toEqual([
    ["One moment please.", false],
    ["Hello there.", true],
  ]);
});
