import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { busVersion, Profile, Say, subjects, type InText, type Presence } from "@voxbus/protocol";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LlmEngine, Turn } from "./engines/engine.ts";
import { createFences } from "./fences.ts";
import { createHistory } from "./history.ts";
import { createMcp } from "./mcp.ts";
import type { Said } from "./turn-input.ts";
import { takeTurn, type Means } from "./turn.ts";

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

/** Means whose engine says what it is told to, and the turns it was asked. */
function createMeans(says: readonly string[], rest: Partial<Means> = {}) {
  const asked: Turn[] = [];
  const failures: unknown[] = [];
  const engine: LlmEngine = {
    name: "test",
    async *respond(turn) {
      asked.push(turn);
      for (const text of says) yield { type: "text", text };
    },
  };
  const presence = { features: {} } as Presence;
  const means: Means = {
    bus,
    fences: createFences(),
    history: createHistory(bus.bucket("dialogues")),
    mcp: createMcp(bus, { timeoutMs: 1000 }),
    reminders: { of: () => ({ schedule: async () => undefined, cancel: async () => 0 }), close: () => undefined },
    engineOf: () => engine,
    profileOf: () => Profile.parse({}),
    presenceOf: async () => presence,
    turnMs: 1000,
    listMs: 1000,
    onFailure: (error) => failures.push(error),
    ...rest,
  };
  return { means, asked, failures };
}

function createSaid(rest: Partial<Said> = {}): Said {
  const session = ulid();
  return { device: `test-${session}`, session, origin: 10, text: "hi", attempt: 1, final: false, trace: {}, ...rest };
}
const take = (said: Said, { means }: { readonly means: Means }) => takeTurn(said, means, () => undefined, never);
async function readTexts(device: string) {
  const stored = await Promise.all(
    [subjects.sayOpen(device), subjects.say(device)].map((subject) => bus.stored(subject, Say, 100)),
  );
  return stored.flat().map(({ message }) => [message.text, message.last]);
}

test("turn: the final delivery only apologises, in the turn's language", async () => {
  const { means, asked } = createMeans(["Hello."]);
  const said = createSaid({ final: true, attempt: 4, language: "zh-CN" });
  expect(await take(said, { means })).toBe("apologised");
  expect(asked).toEqual([]);
  expect(await readTexts(said.device)).toEqual([["抱歉，我现在无法回答。", true]]);
});

test("turn: a turn that is answered is not answered again", async () => {
  const { means, asked } = createMeans(["Hello."]);
  const said = createSaid();
  expect(await take(said, { means })).toBe("answered");
  expect(await take({ ...said, attempt: 2 }, { means })).toBe("done before");
  expect(asked).toHaveLength(1);
  expect(await readTexts(said.device)).toEqual([["Hello.", true]]);
});

test("turn: when the end was not known with the last sentence, an end mark follows", async () => {
  const said = createSaid();
  await take(said, createMeans(["Hello. ", "😊", "\n"]));
  expect(await readTexts(said.device)).toEqual([
    ["Hello.", false],
    ["", true],
  ]);
});

test("turn: an answer that cannot be spoken is apologised for", async () => {
  const means = createMeans(["```js\n1 + 1\n```", "😊"]);
  const said = createSaid();
  expect(await take(said, means)).toBe("apologised");
  expect(means.failures).toHaveLength(1);
  expect(await readTexts(said.device)).toEqual([["I am sorry, I cannot answer right now.", true]]);
});

test("turn: nobody is answered who has gone, nor a turn that is fenced", async () => {
  const said = createSaid();
  expect(await take(said, createMeans(["Hello."], { presenceOf: async () => undefined }))).toBe("offline");
  const { means } = createMeans(["Hello."]);
  const fence = { type: "fence" as const, fence: 10 };
  means.fences.take({ v: busVersion, session: said.session, seq: 11, at: 0, kind: "control", body: fence });
  expect(await take(said, { means })).toBe("fenced");
  expect(await readTexts(said.device)).toEqual([]);
});

test("turn: an engine that never ends is apologised for", async () => {
  const hanging: LlmEngine = {
    name: "hanging",
    async *respond(_, signal) {
      yield { type: "text", text: "Well, " };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  const said = createSaid();
  expect(await take(said, createMeans([], { engineOf: () => hanging, turnMs: 100 }))).toBe("apologised");
});

test("turn: earlier turns that nobody answered are answered too, but not old ones, answered ones or fenced ones", async () => {
  const said = createSaid({ origin: 50 });
  const type = (seq: number, body: string, at = Date.now()) => {
    const text: InText = { v: busVersion, session: said.session, seq, at, kind: "text", body };
    return bus.store(subjects.in(said.device, "text"), text);
  };
  await type(9, "hours ago", Date.now() - 3_600_000);
  await type(10, "answered");
  await type(20, "fenced");
  await type(30, "open");
  const means = createMeans(["Yes."]);
  await take({ ...said, origin: 10, text: "answered" }, means);
  const fence = { type: "fence" as const, fence: 20 };
  means.means.fences.take({ v: busVersion, session: said.session, seq: 21, at: 0, kind: "control", body: fence });
  await take({ ...said, text: "", reason: "unrecognised" }, means);
  expect(means.asked.map((turn) => turn.text)).toEqual(["answered", "open"]);
  expect(means.asked[1]?.history.map(({ text }) => text)).toEqual(["answered", "Yes."]);
});
