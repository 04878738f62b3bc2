import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { startSubscriber } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { buildTts, tts } from "./app.ts";
import { openReplyGateway } from "./test-reply-gateway.ts";

vi.setConfig({ testTimeout: 60_000 });

let nats: NatsServer;
let bus: Bus;
let registry: Registry;

/** Longer than tts is ahead of a device, so the reply keeps its place. */
const story = "This is a long story that is told slowly, and it never seems to come to its end. ".repeat(10);

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  const load = () => ({ connections: 4, speaking: 0 });
  registry = await createRegistry(bus, { id: "g", address: "http://127.0.0.1:1", load });
  for (let n = 0; n < 4; n += 1) {
    const { device, session, say } = openReplyGateway(bus);
    const entry = { session, since: 1, remote: "", protocol: 1, features: {}, state: "active" as const };
    await registry.enter(device, entry, new AbortController().signal);
    await say({ sentence: 0, text: story, last: true });
  }
});
afterAll(async () => {
  await registry.close();
  await bus.close();
  await nats.stop();
});

const places = { VOXBUS_TTS_REPLIES: "1", VOXBUS_TURN_DEADLINE_MS: "60000", VOXBUS_TURN_PATIENCE_MS: "60000" };

test.each([
  ["as many as may be claimed", { VOXBUS_TTS_CLAIMS: "3" }, 3],
  ["those that sound and those that may wait", { ...places, VOXBUS_TTS_REPLIES_WAITING: "1,1,0" }, 2],
])("tts: of many replies it claims %s, and leaves the rest in the stream", async (_, variables, most) => {
  const running = await startSubscriber(tts, buildTts, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_TTS_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
    ...variables,
  });
  const readLag = async () => (await bus.lags()).find(({ durable }) => durable === "tts");
  await expect.poll(readLag, { timeout: 10_000 }).toMatchObject({ held: most });
  // It looks at its room every second.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await readLag()).toMatchObject({ held: most });
  await running.stop("quick");
});
