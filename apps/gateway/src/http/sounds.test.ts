import type { ServerResponse } from "node:http";
import { BusAwayError, DeniedError, type Bus } from "@voxbus/bus";
import { buckets, channels } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { fixedLimits } from "../limits.ts";
import { createMemoryBudget } from "../memory-budget.ts";
import { announce, openMqttStage, packet, type MqttStage } from "../mqtt/test-mqtt.ts";
import { addressOf } from "../test-gateways.ts";
import { createSounds } from "./sounds.ts";

let stage: MqttStage;
let other: Running;

beforeAll(async () => {
  stage = await openMqttStage();
  other = await stage.start({ VOXBUS_GATEWAY_ID: "two" });
});
afterAll(() => stage.stop());

const ask = (gateway: Running, path: string) =>
  fetch(new URL(path, addressOf(gateway).replace("ws", "http")), { redirect: "error" });

test("sounds: any gateway gives the sound that another one keeps, by the whole of its address alone", async () => {
  await stage.bus.bucket(buckets.profiles).put("fetching", { notify: true });
  const device = await stage.online("fetching");
  stage.publish("fetching", announce("n1", "Dinner is ready."));
  const { audio_url: url } = await device.next(({ type }) => type === "notify");
  const { pathname: path } = new URL(String(url));
  for (const gateway of [stage.one, other]) {
    const answer = await ask(gateway, path);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "audio/ogg"]);
    expect(Buffer.from(await answer.arrayBuffer()).includes(packet)).toBe(true);
  }
  const guess = "A".repeat(22);
  for (const wrong of [`one/${guess}`, `two/${guess}`, `none/${guess}`, guess, `*/${guess}`, "a.b/c", ""])
    expect((await ask(other, `/xiaozhi/notify/${wrong}.ogg`)).status, wrong).toBe(404);
  await stage.one.stop("quick");
  expect((await ask(other, path)).status).toBe(404);
});

test("sounds: the question to a gateway that does not answer is no answer, and one that is not permitted finds nothing", async () => {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  const hung = bus.respond(channels.sound("hung"), () => new Promise<never>(() => undefined));
  await bus.flush();
  const denied = Object.create(bus, { request: { value: () => Promise.reject(new DeniedError("denied")) } }) as Bus;
  const memory = createMemoryBudget(1000);
  const ask = async (from: Bus) => {
    const sounds = createSounds({ gateway: "g1", bus: from, memory });
    const path = `/xiaozhi/notify/hung/${"A".repeat(22)}.ogg`;
    await sounds.answer({} as ServerResponse, path).finally(() => sounds.close());
  };
  await expect(ask(bus)).rejects.toThrow(BusAwayError);
  await expect(ask(denied)).rejects.toMatchObject({ refusal: "not-found" });
  hung.close();
  await bus.close();
  await nats.stop();
});

test("sounds: one expires, gives its memory back, and is cut off where it is too long", async () => {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  let now = 0;
  const memory = createMemoryBudget(4 * fixedLimits.soundBytes);
  const sounds = createSounds({ gateway: "g1", bus, memory, now: () => now });
  const long = Buffer.concat([Buffer.from([0x58]), Buffer.alloc(1000)]);
  const path = sounds.keep(Array.from({ length: 1000 }, () => long));
  expect(memory.bytes).toBeLessThan(1.1 * fixedLimits.soundBytes);
  let sent = 0;
  const response = { setHeader: () => undefined, end: ({ byteLength }: Buffer) => void (sent = byteLength) };
  await sounds.answer(response as unknown as ServerResponse, path ?? "");
  expect(sent).toBe(memory.bytes);
  now = fixedLimits.soundMs;
  await expect(sounds.answer(response as unknown as ServerResponse, path ?? "")).rejects.toThrow();
  vi.advanceTimersByTime(60_000);
  expect(memory.bytes).toBe(0);
  sounds.close();
  await bus.close();
  await nats.stop();
});
