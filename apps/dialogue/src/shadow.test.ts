import type { Bus } from "@voxbus/bus";
import { createRegistry } from "@voxbus/presence";
import { buckets, channels, shadowOf, stored, type Say } from "@voxbus/protocol";
import { startSubscriber } from "@voxbus/subscriber";
import {
  connectTestBus,
  createInbox,
  openMcpDevice,
  startModelServer,
  startNatsServer,
  type ModelServer,
} from "@voxbus/testing";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDialogue, dialogue } from "./app.ts";
import { listTool } from "./test-mcp-device.ts";

let bus: Bus;
let model: ModelServer;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  const nats = await startNatsServer();
  undo.push(() => nats.stop());
  model = await startModelServer({
    chat({ messages }) {
      const last = messages.at(-1);
      return last?.role === "tool" ? [`It says ${last.content}.`] : [{ name: "thermometer", args: "{}" }];
    },
  });
  undo.push(() => model.close());
  bus = await connectTestBus(nats.url);
  undo.push(() => bus.close());
  for (const shadow of [undefined, "next"]) {
    const program = await startSubscriber(dialogue, buildDialogue, {
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_LLM_ENGINE: "openai",
      VOXBUS_LLM_URL: model.url,
      VOXBUS_LLM_MODEL: "test",
      VOXBUS_DIALOGUE_OPS_PORT: "0",
      VOXBUS_LOG_LEVEL: "fatal",
      VOXBUS_SHADOW: shadow,
    });
    undo.push(() => program.stop("quick"));
  }
});
afterAll(async () => {
  for (const step of undo.toReversed()) await step();
});

const devices = Array.from({ length: 20 }, (_, n) => `d${n}`);

test("shadow: beside it, the real dialogue learns of every interrupted answer, and asks every new device for its tools", async () => {
  const sessionOf = (device: string) => `session-of-${device}`;
  const open = (device: string) => openMcpDevice(bus, { device, session: sessionOf(device) }, () => ({ result: {} }));
  const servers = devices.map(open);
  await bus.flush();
  const place = { gateway: "g", protocol: 1, sampleRate: 16_000, frameDuration: 60 } as const;
  const body = { type: "opened", features: { mcp: true }, ...place } as const;
  const turn = { origin: 9, complete: false, sentence: 0, fenced: 1, dropped: 0, late: 0 };
  for (const device of devices) {
    const session = sessionOf(device);
    bus.publish(channels.event(device), { session, at: 1, gateway: "g", turn });
    await bus.store(channels.inControl(device), { session, seq: 1, at: 1, kind: "control", body });
  }
  const readHeard = async (device: string) =>
    (await bus.bucket(buckets.dialogues).get(device))?.value?.turns.map(({ heard }) => heard);
  await expect.poll(() => Promise.all(devices.map(readHeard)), { timeout: 20_000 }).toEqual(devices.map(() => [1]));
  const methods = () => servers.map(({ requests }) => requests.map(({ method }) => method));
  await expect.poll(methods, { timeout: 20_000 }).toEqual(devices.map(() => ["initialize", "tools/list"]));
  for (const server of servers) server.close();
}, 60_000);

test("shadow: it answers without the real answer in its history, with the device's tools, and every call is refused", async () => {
  const load = () => ({ connections: 1, speaking: 0 });
  const registry = await createRegistry(bus, { id: "gateway", epoch: ulid(), address: "127.0.0.1", load });
  const [device, session, origin] = ["hall", ulid(), 5];
  const mcp = openMcpDevice(bus, { device, session }, ({ method }) =>
    method === "tools/list" ? { result: { tools: [listTool("thermometer")] } } : { result: {} },
  );
  const [real, own] = [createInbox<Say>(), createInbox<Say>()];
  const following = [
    bus.subscribe(stored(channels.sayOpen(device)), (say) => real.put(say)),
    bus.subscribe(shadowOf(channels.sayOpen(device), "next"), (say) => own.put(say)),
  ];
  const state = { session, since: Date.now(), remote: "127.0.0.1", protocol: 1, state: "active" } as const;
  await registry.enter(device, { ...state, features: { mcp: true } }, AbortSignal.timeout(5000));
  // The real dialogue was first.
  const call = { name: "thermometer", args: "{}", text: "22 degrees" };
  await bus.bucket(buckets.toolCalls).put(`${session}.${origin}.1`, call);
  const turn = { session, origin, at: 1, user: "is it warm", calls: [], said: ["The real answer."] };
  await bus
    .bucket(buckets.dialogues)
    .put(device, { messages: [], turns: [{ ...turn, origin: 2, said: ["Hi."] }, turn] });
  const frame = { session, seq: origin, at: 1, kind: "text", body: "is it warm" } as const;
  await bus.store(channels.inText(device), frame);
  expect((await real.take(() => true)).text).toBe("It says 22 degrees.");
  expect((await own.take(() => true)).text).toBe("It says Error: tools cannot be called now.");
  const asked = JSON.stringify(model.requests.chat);
  expect(asked).toContain("Hi.");
  expect(asked).not.toContain("The real answer.");
  expect(mcp.requests.map(({ method }) => method)).toEqual(["initialize", "tools/list"]);
  for (const one of [...following, mcp]) one.close();
  await registry.close();
}, 60_000);
