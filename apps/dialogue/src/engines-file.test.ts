import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { buckets, channels, type Say, stored } from "@voxbus/protocol";
import { startSubscriber } from "@voxbus/subscriber";
import { connectTestBus, createInbox, startModelServer, startNatsServer, type ModelServer } from "@voxbus/testing";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { buildDialogue, dialogue } from "./app.ts";

const path = join(mkdtempSync(join(tmpdir(), "voxbus-")), "engines.json");
const undo: (() => unknown)[] = [];
let bus: Bus;
let registry: Registry;
let local: ModelServer;
let cloud: ModelServer;

beforeAll(async () => {
  const nats = await startNatsServer();
  undo.push(() => nats.stop());
  local = await startModelServer({ chat: () => ["From here."] });
  undo.push(() => local.close());
  cloud = await startModelServer({ chat: () => ["From the cloud."] });
  undo.push(() => cloud.close());
  bus = await connectTestBus(nats.url);
  undo.push(() => bus.close());
  registry = await createRegistry(bus, {
    id: "gateway",
    epoch: ulid(),
    address: "127.0.0.1",
    load: () => ({ connections: 1, speaking: 0 }),
  });
  undo.push(() => registry.close());
  const server = { role: "llm", kind: "openai", model: "m" };
  const engines = [
    { ...server, name: "local", url: local.url, extra: { reasoning_effort: "none" } },
    { ...server, name: "cloud", url: cloud.url },
  ];
  writeFileSync(path, JSON.stringify({ engines, usual: { llm: ["local", "embedded"] } }));
  const running = await startSubscriber(dialogue, buildDialogue, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_ENGINES_FILE: path,
    VOXBUS_LLM_PROMPT: "You are a pirate.",
    VOXBUS_LLM_EXTRA: '{"seed":7}',
    VOXBUS_DIALOGUE_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
  });
  undo.push(() => running.stop("quick"));
});
afterAll(async () => {
  for (const step of undo.toReversed()) await step();
});

/** A device that is online, with a profile that may change. */
async function connectDevice() {
  const device = `test-${ulid()}`;
  const session = ulid();
  const says = createInbox<Say>();
  const following = bus.subscribe(stored(channels.sayOpen(device)), (say) => says.put(say));
  onTestFinished(() => following.close());
  const state = { remote: "127.0.0.1", protocol: 1, features: {}, state: "active" as const };
  await registry.enter(device, { ...state, session, since: Date.now() }, AbortSignal.timeout(5000));
  let seq = 0;
  return {
    device,
    ask() {
      seq += 1;
      void bus.store(channels.inText(device), { session, at: Date.now(), seq, kind: "text", body: "hi" });
      const origin = seq;
      return says.take((say) => say.origin === origin);
    },
    choose: (llm: string | string[]) => bus.bucket(buckets.profiles).put(device, { engines: { llm } }),
  };
}

test("engines file: the usual engine answers with its own extra fields and the configured prompt", async () => {
  const { ask } = await connectDevice();
  expect(await ask()).toMatchObject({ text: "From here.", engine: "local" });
  const request = local.requests.chat.at(-1)!;
  expect(request.messages[0]?.content).toMatch(/^You are a pirate\./);
  expect(request).toMatchObject({ model: "m", reasoning_effort: "none" });
  expect(request).not.toHaveProperty("seed");
});

test("engines file: a profile that changes names another engine for the next turn", async () => {
  const { ask, choose } = await connectDevice();
  expect((await ask()).engine).toBe("local");
  await choose("cloud");
  await expect.poll(async () => (await ask()).engine).toBe("cloud");
  await choose(["embedded", "cloud"]);
  await expect.poll(async () => (await ask()).engine).toBe("embedded");
});

test("engines file: an unknown name in a profile is reported with its field, and the usual engine answers", async () => {
  const { device, ask, choose } = await connectDevice();
  const errors = createInbox<object>();
  const watching = bus.subscribe(channels.error("dialogue"), (error) => errors.put(error));
  onTestFinished(() => watching.close());
  await choose("clowd");
  expect(await errors.take(() => true)).toMatchObject({ subject: `$KV.profiles.${device}`, field: "engines.llm" });
  expect((await ask()).engine).toBe("local");
  await choose(["clowd", "cloud"]);
  expect(await errors.take(() => true)).toMatchObject({ field: "engines.llm" });
  expect((await ask()).engine).toBe("cloud");
});
