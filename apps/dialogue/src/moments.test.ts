import { setTimeout as sleep } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Delta, LlmEngine } from "./engines/engine.ts";
import { createHistory } from "./history.ts";
import { createInput, createWorker, delivery, readTexts } from "./test-turn.ts";

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
    const { answer } = createWorker(bus, [], { engine, momentMs: 100 });
    const input = createInput({ language, delivery: { ...delivery, claimedAt: performance.now() } });
    expect(await answer(input)).toBe("answered");
    expect(await readTexts(bus, input.device)).toEqual([
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
  const { answer } = createWorker(bus, [], { engine, momentMs: 100 });
  const input = createInput({ delivery: { ...delivery, claimedAt: performance.now() } });
  expect(await answer(input)).toBe("failed");
  expect(await readTexts(bus, input.device)).toEqual([
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
  const worker = createWorker(bus, ["Hello there."], { momentMs: 1 });
  expect(await worker.answer(input)).toBe("answered");
  expect(worker.requests.map(({ spoken }) => spoken)).toEqual([""]);
  expect(await readTexts(bus, device)).toEqual([
    ["One moment please.", false],
    ["Hello there.", true],
  ]);
});
