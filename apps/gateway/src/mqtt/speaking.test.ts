import { setTimeout as sleep } from "node:timers/promises";
import { openAudio } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { isTts, watchInbound } from "../test-gateways.ts";
import { announce, openMqttStage, packet, type MqttStage } from "./test-mqtt.ts";

let stage: MqttStage;

beforeAll(async () => {
  stage = await openMqttStage();
});
afterEach(() => stage.leaveAll());
afterAll(() => stage.stop());

const answerTo = (origin: number, session: string) =>
  announce(`${session}:${origin}`, "Hello there.").map((frame) => ({ ...frame, origin, session }));

it("tells a device that types first to speak once it has sent a datagram: its microphone would be off before", async () => {
  const device = await stage.online("types-1");
  const inbound = await watchInbound(stage.bus, "types-1");
  const audio = await openAudio(device);
  device.send({ type: "listen", state: "start", mode: "auto" });
  device.send({ type: "listen", state: "detect", text: "tell me a joke" });
  const typed = await inbound.until((all) => all.find(({ kind }) => kind === "text"));
  await device.next(({ type }) => type === "stt");
  stage.publish("types-1", answerTo(typed.seq, audio.session));
  device.send({ type: "ping" });
  await device.next(({ type }) => type === "pong");
  expect(device.received.some(isTts("start"))).toBe(false);
  audio.send(packet);
  await device.next(isTts("start"));
  await audio.until(1);
  await device.next(isTts("stop"));
  audio.close();
});

it("sends no sound before the device has answered that it was told to speak, even if that is late", async () => {
  const slowMs = 60;
  let started = Infinity;
  const device = await stage.online("slow-1", {
    onMcp: ({ id }) => {
      // As on a path on which text comes later than datagrams.
      void sleep(slowMs).then(() => {
        started = performance.now();
        device.send({ type: "mcp", payload: { jsonrpc: "2.0", id, error: { message: "unknown" } } });
      });
      return undefined;
    },
  });
  const audio = await openAudio(device);
  audio.send(packet);
  stage.publish("slow-1", announce("s1", "Dinner is ready."));
  await audio.until(1);
  expect(performance.now()).toBeGreaterThanOrEqual(started);
  audio.close();
});

it("sends sound to a device that does not answer, after a time, and takes its answer later", async () => {
  let ping: unknown;
  const device = await stage.online("mute-1", { onMcp: ({ id }) => void (ping = id) });
  const inbound = await watchInbound(stage.bus, "mute-1");
  const audio = await openAudio(device);
  audio.send(packet);
  stage.publish("mute-1", announce("m1", "Dinner is ready."));
  await device.next(isTts("start"));
  const told = performance.now();
  await audio.until(1);
  expect(performance.now() - told).toBeGreaterThan(50);
  await device.next(isTts("stop"));
  for (const id of [ping, 7]) device.send({ type: "mcp", payload: { jsonrpc: "2.0", id, result: {} } });
  const answers = () => inbound.all.flatMap(({ body }) => ("payload" in Object(body) ? [body] : []));
  await expect.poll(answers).toEqual([{ type: "mcp", payload: expect.stringContaining('"id":7') as string }]);
  expect(stage.view.online("mute-1")?.state).not.toBe("suspicious");
  audio.close();
});
