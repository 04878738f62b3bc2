import type { Bus } from "@voxbus/bus";
import { createEngineSet, failures, type FailureReason } from "@voxbus/engines";
import { metrics } from "@opentelemetry/api";
import { createPool } from "@voxbus/pools";
import {
  connectTestBus,
  findFreePort,
  silentLog,
  startModelServer,
  startNatsServer,
  type ModelScript,
  type NatsServer,
} from "@voxbus/testing";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import { createOpenAiEngine } from "./engines/openai.ts";
import { probeEngine, watchEngine } from "./engines/watch.ts";
import { createInput, createWorker, readSays } from "./test-turn.ts";

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

function createModel(name: string, url: string, firstTokenMs = 30_000) {
  const pool = createPool({ name, slots: 10, timeoutMs: 60_000, waiting: { high: 2000, normal: 1, low: 1 } });
  return createOpenAiEngine({
    name,
    url,
    model: name,
    pool,
    firstTokenMs,
    nextTokenMs: 30_000,
    rounds: 2,
    identify: false,
  });
}

/** A dialogue worker with the models `local` and `cloud`, which cool down for `coolMs`, and what they answer. */
async function createTested(
  local: ModelScript["chat"],
  { coolMs = 60_000, firstTokenMs = 30_000, cloud = (() => ["From the cloud."]) as ModelScript["chat"] } = {},
) {
  const servers = await Promise.all([local, cloud].map((chat) => startModelServer({ chat })));
  for (const server of servers) onTestFinished(() => server.close());
  const [first, second] = servers as [(typeof servers)[0], (typeof servers)[0]];
  const set = createEngineSet({
    engines: [createModel("local", first.url, firstTokenMs), createModel("cloud", second.url)],
    usual: ["local", "cloud"],
    watch: watchEngine,
    probe: probeEngine,
    log: silentLog,
    meter: metrics.getMeter("test"),
    coolDown: { firstMs: coolMs, mostMs: coolMs },
  });
  onTestFinished(() => set.close());
  const worker = createWorker(bus, [], { engines: () => set.choose(undefined), answerMs: 60_000 });
  const ask = async (text = "hi") => {
    const input = createInput({ text });
    const outcome = await worker.answer(input);
    const says = await readSays(bus, input.device);
    return { outcome, texts: says.map(({ text }) => text).filter(Boolean), engines: says.map(({ engine }) => engine) };
  };
  return { ask, set, first, second, worker };
}

const apology = "I am sorry, I cannot answer right now.";
const error = (status: number, code: string | null) => ({ status, body: { error: { message: "no", code } } });
const unusable: readonly (readonly [FailureReason, ModelScript["chat"]])[] = [
  ["bad-key", () => error(401, "invalid_api_key")],
  ["no-quota", () => error(429, "insufficient_quota")],
  ["rate-limited", () => 429],
  ["server-error", () => 503],
  ["not-found", () => 404],
  ["unreachable", () => ({ end: "drop" })],
  ["time-out", () => ({ end: "hang" })],
  ["bad-answer", () => ({ status: 200, body: "<!doctype html><title>Sign in</title>" })],
];

test("failover: every reason that makes a service unusable is tried", () => {
  const cooling = Object.entries(failures).flatMap(([reason, { cools }]) => (cools ? [reason] : []));
  expect(unusable.map(([reason]) => reason).toSorted()).toEqual(cooling.toSorted());
});

test.each(unusable)("failover: after %s the next model answers, and later turns ask it first", async (reason, chat) => {
  const firstTokenMs = reason === "time-out" ? 300 : 30_000;
  const { ask, set, first, second } = await createTested(chat, { firstTokenMs });
  expect(await ask()).toEqual({ outcome: "answered", texts: ["From the cloud."], engines: ["cloud"] });
  const asked = first.requests.chat.length;
  expect([asked > 0, set.unusable()]).toEqual([true, 1]);
  expect((await ask()).engines).toEqual(["cloud"]);
  expect([first.requests.chat.length, second.requests.chat.length]).toEqual([asked, 2]);
});

const requestErrors: readonly (readonly [string, ModelScript["chat"]])[] = [
  ["a bad request", () => 400],
  ["refused content", () => error(400, "content_filter")],
];

test.each(requestErrors)("failover: %s is an error of one request, and the answer is an apology", async (_, chat) => {
  const { ask, set, second } = await createTested(chat);
  expect(await ask()).toMatchObject({ outcome: "failed", texts: [apology] });
  expect([second.requests.chat.length, set.unusable()]).toEqual([0, 0]);
});

test("failover: an answer that has begun is not begun again by another model", async () => {
  let isDown = false;
  const begun = ["It is sunny today. ", "Tomorrow it will rain in the north, ", { end: "fail" as const }];
  const { ask, second } = await createTested(() => (isDown ? begun : ["Hello there."]));
  // The beginning of a model's first answer is held back, because it could be a thought.
  expect((await ask()).texts).toEqual(["Hello there."]);
  isDown = true;
  const { outcome, texts, engines } = await ask();
  expect([outcome, texts[0], texts.at(-1)]).toEqual(["failed", "It is sunny today.", "I am sorry, I lost my thread."]);
  expect([engines[0], second.requests.chat.length]).toEqual(["local", 0]);
});

test("failover: words without a whole sentence are forgotten, and the next model gives a whole answer", async () => {
  const { ask } = await createTested(() => ["It is", { end: "fail" }]);
  expect(await ask()).toMatchObject({ outcome: "answered", texts: ["From the cloud."] });
});

test("failover: after a tool was called, no other model is asked", async () => {
  const chat: ModelScript["chat"] = ({ messages }) =>
    messages.at(-1)?.role === "tool" ? 503 : [{ name: "anything", args: "{}" }];
  const tools = { list: [{ name: "anything", description: "", inputSchema: {} }], make: async () => "done" };
  const { set, second } = await createTested(chat);
  const worker = createWorker(bus, [], {
    engines: () => set.choose(undefined),
    busTools: { sourceOf: () => ({ ...tools }) },
  });
  const input = createInput();
  expect([await worker.answer(input), second.requests.chat.length]).toEqual(["failed", 0]);
});

test("failover: if all models are down, the user hears an apology", async () => {
  const { ask, set } = await createTested(() => 503, { cloud: () => error(402, null) });
  expect(await ask()).toMatchObject({ outcome: "failed", texts: [apology] });
  expect(set.unusable()).toBe(2);
  expect(await ask()).toMatchObject({ outcome: "failed", texts: [apology] });
});

test("failover: all models of a turn have the time of one answer", async () => {
  const hang: ModelScript["chat"] = () => ({ end: "hang" });
  const { set, second } = await createTested(hang, { cloud: hang });
  const worker = createWorker(bus, [], { engines: () => set.choose(undefined), answerMs: 200 });
  expect(await worker.answer(createInput())).toBe("failed");
  expect(second.requests.chat.length).toBe(0);
});

test("failover: a probe in the background finds a model that works again", async () => {
  let isDown = true;
  const { ask, set, first } = await createTested(() => (isDown ? 503 : ["From here."]), { coolMs: 20 });
  expect((await ask()).engines).toEqual(["cloud"]);
  isDown = false;
  await expect.poll(() => set.unusable()).toBe(0);
  expect(first.requests.chat.at(-1)?.tools).toBeUndefined();
  expect((await ask()).texts).toEqual(["From here."]);
});

test("failover: a model that names a time (Retry-After) is probed when it has passed", async () => {
  let isBusy = true;
  const busy = { ...error(429, null), headers: { "retry-after": "1" } };
  const { ask, set, first } = await createTested(() => (isBusy ? busy : ["From here."]));
  const since = performance.now();
  expect((await ask()).engines).toEqual(["cloud"]);
  isBusy = false;
  await expect.poll(() => set.unusable(), { timeout: 20_000 }).toBe(0);
  expect(performance.now() - since).toBeGreaterThan(990);
  expect(first.requests.chat.length).toBe(2);
});

test("failover: many turns at once while the first model is down do not ask it", async () => {
  const { ask, first, second } = await createTested(() => 503);
  await ask();
  const asked = first.requests.chat.length;
  const texts = await Promise.all(Array.from({ length: 40 }, async () => (await ask()).texts[0]));
  expect(new Set(texts)).toEqual(new Set(["From the cloud."]));
  expect(first.requests.chat.length).toBe(asked);
  expect(second.requests.chat.length).toBe(41);
});

test("failover: a server that is not there gives way to the built-in phrases", async () => {
  const engines = [createModel("local", `http://127.0.0.1:${await findFreePort()}/v1`), createEmbeddedEngine()];
  const worker = createWorker(bus, [], { engines: () => engines });
  const input = createInput({ text: "hello", device: `test-${ulid()}` });
  expect(await worker.answer(input)).toBe("answered");
  expect((await readSays(bus, input.device)).at(-1)).toMatchObject({ engine: "embedded", language: "en" });
  expect(worker.warnings).toEqual(["engine failed, asking the next one"]);
});
