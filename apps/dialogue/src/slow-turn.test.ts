import type { Bus } from "@voxbus/bus";
import { channels, stored } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { LlmEngine } from "./engines/engine.ts";
import { createHistory } from "./history.ts";
import { createInput, createWorker, readTexts, type WorkerOptions } from "./test-turn.ts";

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

const never = new Promise<never>(() => undefined);

/** An engine that says something, calls a tool, and answers with its result. */
function createCaller(before = ""): LlmEngine {
  return {
    name: "caller",
    async *respond({ device }) {
      if (before !== "") yield { type: "text", text: before };
      yield { type: "paragraph" };
      yield { type: "text", text: await device.tools.call("slow", {}) };
    },
  };
}

/** Answers a turn whose tool takes until the device has said `until`, or answers at once. */
async function answerWith(engine: LlmEngine, until: string | undefined, options: WorkerOptions, language = "en") {
  const input = createInput({ language });
  const isSaid = new Promise<void>((resolve) => {
    for (const channel of [channels.sayOpen(input.device), channels.say(input.device)]) {
      const watching = bus.subscribe(stored(channel), ({ text }) => text === until && resolve());
      onTestFinished(() => watching.close());
    }
  });
  await bus.flush();
  const tool = { name: "slow", description: "Slow.", inputSchema: { type: "object" } };
  const make = async () => {
    if (until !== undefined) await isSaid;
    return "Here it is.";
  };
  const worker = createWorker(bus, [], {
    engine,
    answerMs: 10_000,
    busTools: { sourceOf: () => ({ list: [tool], make }) },
    ...options,
  });
  expect(await worker.answer(input)).toBe("answered");
  const history = await createHistory(bus).read(input.device);
  return { texts: (await readTexts(bus, input.device)).map(([text]) => text), history };
}

test.each([
  ["en", "One moment please."],
  ["de", "Einen Moment bitte."],
])("slow tool: the device says so once (%s), and the history has only the answer", async (language, moment) => {
  const { texts, history } = await answerWith(createCaller(), moment, { toolMomentMs: 20, momentMs: 30 }, language);
  expect(texts).toEqual([moment, "Here it is."]);
  expect(history.at(-1)).toMatchObject({ role: "assistant", text: "Here it is." });
});

test("slow tool: if the turn has said something, the device says so only after the longer time", async () => {
  const caller = createCaller("Let me see.");
  const { texts } = await answerWith(caller, "One moment please.", { toolMomentMs: 60_000, momentMs: 20 });
  expect(texts).toEqual(["Let me see.", "One moment please.", "Here it is."]);
});

test("slow tool: one that answers in time, or a time of 0, says nothing", async () => {
  expect((await answerWith(createCaller(), undefined, { toolMomentMs: 60_000 })).texts).toEqual(["Here it is."]);
  expect((await answerWith(createCaller(), undefined, { toolMomentMs: 0 })).texts).toEqual(["Here it is."]);
});

test("slow tool: a fence ends the turn while the tool hangs", async () => {
  const input = createInput();
  let called = (): void => undefined;
  const isCalled = new Promise<void>((resolve) => (called = resolve));
  const tool = { name: "slow", description: "Slow.", inputSchema: { type: "object" } };
  const make = (_call: unknown, _leave: unknown, signal?: AbortSignal) => {
    called();
    return Promise.race([
      never,
      new Promise<string>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error))),
    ]);
  };
  const engine: LlmEngine = {
    name: "caller",
    async *respond({ device }, signal) {
      try {
        yield { type: "text", text: await device.tools.call("slow", {}, signal) };
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
  const options = { engine, answerMs: 60_000, busTools: { sourceOf: () => ({ list: [tool], make }) } };
  const worker = createWorker(bus, [], options);
  const answered = worker.answer(input);
  await isCalled;
  worker.fence(input.session, input.origin);
  expect(await answered).toBe("fenced");
});
