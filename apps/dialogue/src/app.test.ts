import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import {
  connectTestBus,
  looseRow,
  startModelServer,
  startNatsServer,
  type ChatEvent,
  type ChatRequest,
  type ModelServer,
  type NatsServer,
} from "@voxbus/testing";
import { buckets, channels, type Heard, type InControl, type Say, stored } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDialogue, dialogue } from "./app.ts";

let nats: NatsServer;
let bus: Bus;
let registry: Registry;
let model: ModelServer;
let running: Running;
const undo: (() => unknown)[] = [];

const answers: { match: RegExp; events: readonly ChatEvent[] | number }[] = [
  { match: /hang before/, events: [{ end: "hang" }] },
  { match: /hang after/, events: ["First things first. Second", { end: "hang" }] },
  { match: /fail before/, events: 500 },
  { match: /fail after/, events: ["That is easy. But", { end: "fail" }] },
  { match: /天气/, events: ["😊今天天", "气很好。你想出", "去走走吗？", "我陪你！"] },
  { match: /volume/, events: [{ name: "self_audio_speaker_set_volume", args: '{"volume":50}' }] },
];
function answer({ messages }: ChatRequest): readonly ChatEvent[] | number {
  const last = messages.at(-1);
  if (last?.role === "tool") return [`The device says ${last.content}.`];
  if (last?.content?.startsWith("Your answer was cut off")) return ["And the rest."];
  return answers.find(({ match }) => match.test(last?.content ?? ""))?.events ?? [`Yes, ${last?.content}.`];
}

const start = async (engine: "embedded" | "openai", url = nats.url) => {
  const started = await startSubscriber(dialogue, buildDialogue, {
    VOXBUS_NATS_URL: url,
    VOXBUS_LLM_ENGINE: engine,
    VOXBUS_LLM_URL: model.url,
    VOXBUS_LLM_MODEL: "test",
    VOXBUS_DIALOGUE_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
  });
  undo.push(() => started.stop("quick"));
  return started;
};

beforeAll(async () => {
  nats = await startNatsServer();
  undo.push(() => nats.stop());
  model = await startModelServer({ chat: answer });
  undo.push(() => model.close());
  bus = await connectTestBus(nats.url);
  undo.push(() => bus.close());
  registry = await createRegistry(bus, {
    id: "gateway",
    epoch: ulid(),
    address: "127.0.0.1",
    load: () => ({ connections: 1, speaking: 0 }),
  });
  undo.push(() => registry.close());
  running = await start("embedded");
});

afterAll(async () => {
  for (const step of undo.toReversed()) await step();
});

/** A device as the bus sees it: online, and the messages of its gateway and of asr are sent by hand. */
async function connectDevice(
  options: { readonly llm?: "openai" | "none"; readonly features?: Record<string, unknown> } = {},
) {
  const device = `test-${ulid()}`;
  const session = ulid();
  const { features = {} } = options;
  if (options.llm !== undefined) await bus.bucket(buckets.profiles).put(device, { engines: { llm: options.llm } });
  const says: Say[] = [];
  const waiting = new Set<() => void>();
  for (const channel of [channels.say(device), channels.sayOpen(device)]) {
    const following = bus.subscribe(stored(channel), (say) => {
      says.push(say);
      expect(channel.subject.endsWith("open")).toBe(say.sentence === 0);
      for (const check of waiting) check();
    });
    undo.push(() => following.close());
  }
  const state = { session, since: Date.now(), remote: "127.0.0.1", protocol: 1, features, state: "active" as const };
  await registry.enter(device, state, AbortSignal.timeout(5000));
  let seq = 0;
  const frame = { session, at: Date.now() } as const;
  return {
    device,
    session,
    says,
    hear(text: string, rest: Partial<Heard> = {}) {
      seq += 10;
      const place = { session, listen: seq - 9, utterance: seq, from: seq - 5, origin: seq };
      const heard: Heard = { ...place, text, language: "en", ...rest };
      return bus.store(channels.heard(device), heard, { id: `${session}:${seq}` });
    },
    type(text: string) {
      seq += 10;
      return bus.store(channels.inText(device), { ...frame, seq, kind: "text", body: text });
    },
    control(body: InControl) {
      seq += 1;
      return bus.store(channels.inControl(device), { ...frame, seq, kind: "control", body });
    },
    /** Resolves with the texts once `count` replies have come to their end. */
    async whenSaid(count = 1) {
      await this.when(() => says.filter((say) => say.last).length >= count);
      return says.map((say) => say.text);
    },
    when: (condition: () => boolean) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!condition()) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  await expect.poll(condition, { interval: 20, timeout: 5000 }).toBe(true);
}

test("dialogue: a transcript is answered sentence by sentence, numbered, with the last one marked", async () => {
  const device = await connectDevice();
  await device.hear("tell me a long story");
  const texts = await device.whenSaid();
  expect(texts.length).toBeGreaterThan(10);
  expect(texts[0]).toBe("Once upon a time there was a lighthouse at the end of a long grey pier.");
  expect(device.says.map((say) => say.sentence)).toEqual(texts.map((_, i) => i));
  expect(device.says.map((say) => say.last)).toEqual(texts.map((_, i) => i === texts.length - 1));
  expect(new Set(device.says.map(({ session, origin, reply }) => `${session} ${origin} ${reply}`)).size).toBe(1);
  expect(device.says[0]).toMatchObject({ session: device.session, origin: 10, emotion: "relaxed", language: "en" });
});

test("dialogue: typed text outside the table is repeated with one model hint, and stays in the history", async () => {
  const device = await connectDevice();
  await device.type("what is love");
  const first = await device.whenSaid();
  expect(first[0]).toBe("You said: what is love.");
  expect(first.join(" ")).toContain("connect a language model");
  await waitFor(async () => (await bus.bucket(buckets.dialogues).get(device.device)) !== undefined);
  await device.type("what is love");
  expect((await device.whenSaid(2)).slice(first.length)).toEqual(["You said: what is love."]);
  await waitFor(async () => {
    const entry = await bus.bucket(buckets.dialogues).get(device.device);
    return entry?.value?.turns.length === 2;
  });
});

test("dialogue: rejected speech is answered with an apology and a hint", async () => {
  const device = await connectDevice();
  await device.hear("", { reason: "unrecognized" });
  expect((await device.whenSaid()).join(" ")).toBe(
    "I am sorry, I did not understand that. Say help to hear what I know.",
  );
});

test("dialogue: a transcript without words takes no question's place", async () => {
  const device = await connectDevice();
  await device.type("what is love");
  await device.hear("", { reason: "nothing-heard" });
  expect((await device.whenSaid()).join(" ")).toContain("You said: what is love.");
});

test("dialogue: a Chinese reply is cut into sentences, and an emoji becomes its face", async () => {
  const device = await connectDevice({ llm: "openai" });
  await device.type("今天天气怎么样？");
  expect(await device.whenSaid()).toEqual(["今天天气很好。", "你想出去走走吗？", "我陪你！"]);
  expect(device.says[0]).toMatchObject({ emotion: "happy", language: "zh" });
});

test("dialogue: the first sentence is stored while the model still writes, and a fence ends the rest", async () => {
  const device = await connectDevice({ llm: "openai" });
  await device.hear("hang after the first sentence");
  await device.when(() => device.says.length === 1);
  expect(device.says[0]).toMatchObject({ text: "First things first.", last: false });
  const cancelled = model.whenCancelled();
  await device.control({ type: "abort" });
  await cancelled;
  await device.hear("are you there");
  expect(await device.whenSaid()).toEqual(["First things first.", "Yes, are you there."]);
});

test("dialogue: a turn that is fenced before its first token gets no answer", async () => {
  const device = await connectDevice({ llm: "openai" });
  const asked = model.requests.chat.length;
  await device.hear("hang before the first sentence");
  await expect.poll(() => model.requests.chat.length, { interval: 5 }).toBeGreaterThan(asked);
  const cancelled = model.whenCancelled();
  await device.control({ type: "fence", fence: 10 });
  await cancelled;
  await device.hear("hello");
  expect(await device.whenSaid()).toEqual(["Yes, hello."]);
});

test("dialogue: a turn without an answer is answered in the reply to the next one", async () => {
  const device = await connectDevice({ llm: "openai" });
  const asked = model.requests.chat.length;
  await device.hear("hang before this");
  await expect.poll(() => model.requests.chat.length, { interval: 5 }).toBeGreaterThan(asked);
  answers.unshift({ match: /hang before this\nand this/, events: ["To both: yes."] });
  await device.hear("and this");
  expect(await device.whenSaid()).toEqual(["To both: yes."]);
  expect(device.says[0]?.origin).toBe(20);
});

test("dialogue: a model that fails leads to an apology, also in mid-answer", async () => {
  const device = await connectDevice({ llm: "openai" });
  await device.hear("fail before it begins");
  expect(await device.whenSaid()).toEqual(["I am sorry, I cannot answer right now."]);
  await device.hear("fail after a sentence");
  expect((await device.whenSaid(2)).slice(1)).toEqual(["That is easy.", "But", "I am sorry, I lost my thread."]);
  expect(device.says.at(-1)).toMatchObject({ emotion: "sad", last: true });
});

test("dialogue: another worker continues after the sentences that are stored", async () => {
  const device = await connectDevice({ llm: "openai" });
  const other = await start("openai");
  await device.hear("hang after the first sentence");
  await device.when(() => device.says.length === 1);
  // The worker that claimed the turn, one of the two, stops within half a second. Its successor continues.
  answers.unshift({ match: /hang after/, events: ["Never asked like this."] });
  await Promise.all([running.stop("quick"), other.stop("quick")]);
  running = await start("embedded");
  expect(await device.whenSaid()).toEqual(["First things first.", "And the rest."]);
  expect(device.says.map((say) => [say.sentence, say.last])).toEqual([
    [0, false],
    [1, true],
  ]);
});

test.each([
  ["timeZone", "Mars/Base"],
  ["timeZone", "constructor"],
  ["language", "xx-invalid-"],
  ["language", "en_US"],
  ["language", "__proto__"],
  ["engines", { llm: "constructor" }],
  ["engines", { llm: "a.b" }],
  ["group", "*.>"],
  ["prompt", 7],
])("profile: with the %s %j the device's turns are answered as without it", async (field, value) => {
  const device = await connectDevice();
  const profiles = bus.bucket(looseRow(buckets.profiles));
  await profiles.put(device.device, { wakeWords: ["computer"], [field]: value });
  await device.type("what time is it");
  expect(await device.whenSaid()).toMatchObject([expect.stringMatching(/^It is \d/)]);
});

test.each([
  ["the embedded engine", undefined, ["The volume is now 50 percent."]],
  ["a model", "openai" as const, ["The device says true."]],
])("dialogue: the volume is set through the device's own tool by %s", async (_, llm, expected) => {
  const device = await connectDevice({ ...(llm && { llm }), features: { mcp: true } });
  const calls: unknown[] = [];
  const answering = bus.subscribe(channels.out(device.device), ({ kind, body }) => {
    if (kind !== "text" || body.type !== "mcp") return;
    const request = JSON.parse(body.payload) as { id: number; method: string; params: Record<string, unknown> };
    const { id, method, params } = request;
    const results: Record<string, object> = {
      initialize: { protocolVersion: "2024-11-05", capabilities: { tools: {} } },
      "tools/list": {
        tools: [{ name: "self.audio_speaker.set_volume", description: "Volume", inputSchema: { type: "object" } }],
      },
      "tools/call": { content: [{ type: "text", text: "true" }], isError: false },
    };
    if (method === "tools/call") calls.push(params);
    void device.control({ type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id, result: results[method] }) });
  });
  await device.hear("set the volume to fifty");
  expect(await device.whenSaid()).toEqual(expected);
  expect(calls).toEqual([{ name: "self.audio_speaker.set_volume", arguments: { volume: 50 } }]);
  answering.close();
});

test("dialogue: with the engine none it leaves turns to another program", async () => {
  const [left, other] = [await connectDevice({ llm: "none" }), await connectDevice()];
  for (const { hear } of [left, other]) await hear("what is two plus two");
  await other.whenSaid();
  expect(left.says).toEqual([]);
});
