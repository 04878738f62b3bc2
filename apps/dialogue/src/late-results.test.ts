import { setTimeout as sleep } from "node:timers/promises";
import { createRegistry } from "@voxbus/presence";
import { buckets, channels } from "@voxbus/protocol";
import { startSubscriber } from "@voxbus/subscriber";
import { connectTestBus, startModelServer, startNatsServer } from "@voxbus/testing";
import { ulid } from "ulid";
import { expect, onTestFinished, test, vi } from "vitest";
import { buildDialogue, dialogue } from "./app.ts";
import { createLateResults } from "./late-results.ts";
import { description, startTools } from "./tools/test-tools.ts";

const within = { timeout: 15_000 };

test("late results: a drain waits for that of an action whose user interrupted, and it is in the history", async () => {
  const nats = await startNatsServer();
  onTestFinished(() => nats.stop());
  const bus = await connectTestBus(nats.url);
  onTestFinished(() => bus.close());
  const model = await startModelServer({ chat: () => [{ name: "order", args: "{}" }] });
  onTestFinished(() => model.close());
  const load = () => ({ connections: 1, speaking: 0 });
  const registry = await createRegistry(bus, { id: "gateway", epoch: ulid(), address: "127.0.0.1", load });
  onTestFinished(() => registry.close());
  let finish: ((text: string) => void) | undefined;
  await startTools(nats.url, ({ tool }) => {
    const order = () => new Promise((resolve) => (finish = resolve));
    tool({ name: "order", description, finishes: true }, order);
  });
  const worker = await startSubscriber(dialogue, buildDialogue, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_LLM_ENGINE: "openai",
    VOXBUS_LLM_URL: model.url,
    VOXBUS_DIALOGUE_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
  });
  let drained: Promise<void> | undefined;
  onTestFinished(() => drained ?? worker.stop("quick"));
  const readMetrics = async () => (await fetch(`${worker.addresses["ops"]}/metrics`)).text();
  await vi.waitFor(async () => expect(await readMetrics()).toMatch(/^voxbus_dialogue_tools\{.*\} 1$/m), within);
  const [device, session] = ["kitchen", ulid()];
  const state = { session, since: 0, remote: "127.0.0.1", protocol: 1, features: {}, state: "active" as const };
  await registry.enter(device, state, AbortSignal.timeout(5000));
  const frame = { session, at: 0 };
  await bus.store(channels.inText(device), { ...frame, seq: 10, kind: "text", body: "order a pizza" });
  await vi.waitFor(() => expect(finish).toBeDefined(), within);
  await bus.store(channels.inControl(device), {
    ...frame,
    seq: 11,
    kind: "control",
    body: { type: "fence", fence: 10 },
  });
  const readCalls = async () => (await bus.bucket(buckets.dialogues).get(device))?.value?.turns[0]?.calls;
  await vi.waitFor(async () => expect(await readCalls()).toHaveLength(1), within);
  drained = worker.stop("drain");
  // Without a wait, it takes some ms.
  expect(await Promise.race([drained.then(() => "drained"), sleep(1000, "waiting")])).toBe("waiting");
  finish?.("ordered");
  await drained;
  expect(await readCalls()).toMatchObject([{ name: "order", text: "ordered" }]);
});

test("late results: a wait ends with its time, also if another one gives less, and failures are ignored", async () => {
  const late = createLateResults();
  let end = (): void => undefined;
  late.follow(new Promise<void>((resolve) => (end = resolve)));
  late.follow(Promise.reject(new Error("no NATS")));
  const long = late.settle(60_000);
  await late.settle(5);
  await long;
  expect(late.count()).toBe(1);
  end();
  await vi.waitFor(() => expect(late.count()).toBe(0));
  await createLateResults().settle(60_000);
});
