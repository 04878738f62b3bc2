import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { channels, type Say, type Stats, stored } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, startModelServer, startNatsServer, type ModelServer, type NatsServer } from "@voxbus/testing";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { buildDialogue, dialogue } from "./app.ts";

// Under load the machine is slow, and that is no failure.
vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 40_000 };

let nats: NatsServer;
let bus: Bus;
let registry: Registry;
let model: ModelServer;
let running: Running;
const undo: (() => unknown)[] = [];
/** The requests that the model works on, and the most that it ever had. */
const open = new Map<string, () => void>();
let most = 0;

beforeAll(async () => {
  nats = await startNatsServer();
  undo.push(() => nats.stop());
  model = await startModelServer({
    async chat({ messages }, { gone }) {
      const text = messages.at(-1)!.content!.split("\n\n").at(-1)!;
      gone.addEventListener("abort", () => open.delete(text));
      await new Promise<void>((resolve) => {
        open.set(text, resolve);
        most = Math.max(most, open.size);
      });
      return [`Yes, ${text}.`];
    },
  });
  undo.push(() => model.close());
  bus = await connectTestBus(nats.url);
  undo.push(() => bus.close());
  const load = () => ({ connections: 1, speaking: 0 });
  registry = await createRegistry(bus, { id: "gateway", epoch: ulid(), address: "127.0.0.1", load });
  undo.push(() => registry.close());
  running = await startSubscriber(dialogue, buildDialogue, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_LLM_ENGINE: "openai",
    VOXBUS_LLM_URL: model.url,
    VOXBUS_LLM_REQUESTS: "2",
    VOXBUS_LLM_WAITING: "4,4,4",
    VOXBUS_DIALOGUE_TURNS: "5",
    VOXBUS_DIALOGUE_MOMENT_MS: "0",
    VOXBUS_LLM_FIRST_TOKEN_MS: "60000",
    VOXBUS_LLM_PATIENCE_MS: "60000",
    VOXBUS_DIALOGUE_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
  });
  undo.push(() => running.stop("quick"));
});

afterAll(async () => {
  for (const step of undo.toReversed()) await step();
});

/** A device that is online. Its turns are stored by hand, and its answers collected. */
async function connectDevice() {
  const device = `test-${ulid()}`;
  const session = ulid();
  const says: Say[] = [];
  const following = bus.subscribe(stored(channels.sayOpen(device)), (say) => void says.push(say));
  undo.push(() => following.close());
  const state = {
    session,
    since: Date.now(),
    remote: "127.0.0.1",
    protocol: 1,
    features: {},
    state: "active" as const,
  };
  await registry.enter(device, state, AbortSignal.timeout(5000));
  return {
    says,
    type: (text: string) =>
      bus.store(channels.inText(device), { session, at: Date.now(), seq: 10, kind: "text", body: text }),
    hear: (text: string) =>
      bus.store(
        channels.heard(device),
        { session, listen: 1, utterance: 1, from: 5, origin: 10, text, language: "en" },
        { id: `${session}:10` },
      ),
    abort: () =>
      bus.store(channels.inControl(device), {
        session,
        at: Date.now(),
        seq: 11,
        kind: "control",
        body: { type: "abort" },
      }),
  };
}

test("dialogue: turns beyond the model's slots wait, those beyond its queue stay in the streams, all are answered", async () => {
  const reports: Stats[] = [];
  const following = bus.subscribe(channels.stats("dialogue"), (stats) => void reports.push(stats));
  const devices = await Promise.all(Array.from({ length: 14 }, connectDevice));
  await Promise.all(devices.map((device, i) => (i % 2 === 0 ? device.type(`turn ${i}`) : device.hear(`turn ${i}`))));
  await vi.waitFor(() => {
    const { gauges, pools } = reports.at(-1)!;
    const work = [{ priority: "high", running: 2, peak: 2 }, {}, {}];
    expect(pools).toMatchObject([{ name: "model", slots: 2, work }]);
    // Two streams share the slots of turns: one of them may hold one more.
    expect([3, 4]).toContain(gauges["queue"]);
  }, patience);
  await vi.waitFor(async () => {
    const lags = (await bus.lags()).filter(({ durable }) => durable === "dialogue");
    const sum = (count: "held" | "pending") => lags.reduce((total, lag) => total + lag[count], 0);
    expect([5, 6]).toContain(sum("held"));
    expect(sum("held") + sum("pending")).toBe(14);
  }, patience);
  for (let answered = 0; answered < 14; answered += 1) {
    await vi.waitFor(() => expect(open.size).toBeGreaterThan(0), patience);
    const [text, finish] = [...open][0]!;
    open.delete(text);
    finish();
  }
  await vi.waitFor(() => expect(devices.every(({ says }) => says.length === 1)).toBe(true), patience);
  expect(devices.map(({ says }) => says[0]!.text)).toEqual(devices.map((_, i) => `Yes, turn ${i}.`));
  expect(most).toBe(2);
  following.close();
});

test("dialogue: an abort of the device closes the model's request, and gives its slot to the next turn", async () => {
  const [first, second, third] = await Promise.all([connectDevice(), connectDevice(), connectDevice()]);
  await Promise.all([first.type("first"), second.type("second")]);
  await vi.waitFor(() => expect([...open.keys()].sort()).toEqual(["first", "second"]), patience);
  await third.type("third");
  await first.abort();
  await vi.waitFor(() => expect([...open.keys()].sort()).toEqual(["second", "third"]), patience);
  for (const finish of open.values()) finish();
  await vi.waitFor(() => expect([second.says.length, third.says.length]).toEqual([1, 1]), patience);
  expect(first.says).toEqual([]);
});
