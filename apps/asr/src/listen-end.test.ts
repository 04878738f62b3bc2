import type { Bus } from "@voxbus/bus";
import {
  connectTestBus,
  encodeSpeech,
  isUserSpeaking,
  loadSpeech,
  openTestGateway,
  silence,
  startNatsServer,
  type Answer,
  type NatsServer,
  type TestGateway,
} from "@voxbus/testing";
import { channels } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { asr, buildAsr } from "./app.ts";
import { joinSamples } from "./join-samples.ts";

// Under load the machine is slow, and that is no failure.
vi.setConfig({ testTimeout: 30_000 });

let nats: NatsServer;
let bus: Bus;
let running: Running;
let device: TestGateway;
let count = 0;

const say = (name: string, after = 900) => encodeSpeech(joinSamples(silence(600), loadSpeech(name), silence(after)));

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  running = await startSubscriber(asr, buildAsr, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_ASR_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_ASR_THREADS: "1",
    VOXBUS_ASR_MANUAL_IDLE_MS: "3000",
  });
}, 30_000);
afterAll(async () => {
  await running.stop("quick");
  await bus.close();
  await nats.stop();
});
beforeEach(() => {
  count += 1;
  device = openTestGateway(bus, `device-${count}`);
});
afterEach(async () => {
  await device.control({ type: "closed", code: 1006, reason: "" });
  device.close();
});

test("limits: a request that may take longer than a transcript is a contradiction", async () => {
  const env = { VOXBUS_ASR_ENGINE: "openai", VOXBUS_ASR_TIMEOUT_MS: "60000", VOXBUS_LOG_LEVEL: "fatal" };
  await expect(startSubscriber(asr, buildAsr, env)).rejects.toThrow(
    "VOXBUS_ASR_TRANSCRIPT_MS: must be longer than VOXBUS_ASR_TIMEOUT_MS, which is 60000 ms; it is 60000 ms",
  );
});

describe.each(["auto", "realtime"] as const)("stop in %s mode", (mode) => {
  const isSilence =
    (seq: number) =>
    (answer: Answer): answer is Extract<Answer, { type: "user-speaking" }> =>
      answer.type === "user-speaking" && !answer.on && answer.seq === seq && answer.origin === undefined;

  test("without speech: the gateway is told that nothing was said", async () => {
    await device.listen(mode);
    device.send(encodeSpeech(silence(1200)));
    await device.answer(isSilence(await device.control({ type: "stop" })));
  });

  test("after speech that was answered: the gateway is told that nothing followed it", async () => {
    await device.listen(mode);
    device.send(say("joke"));
    await device.heard();
    device.send(encodeSpeech(silence(600)));
    await device.answer(isSilence(await device.control({ type: "stop" })));
  });
});

test("from the stop to the transcript: the gateway gets signs of life", async () => {
  const signs: (number | undefined)[] = [];
  const subscription = bus.subscribe(channels.out(`device-${count}`), ({ kind, body, origin }) => {
    if (kind === "control" && body.type === "working") signs.push(origin);
  });
  await device.listen("manual");
  device.send(say("time"));
  const stop = await device.control({ type: "stop" });
  await device.heard();
  expect(signs).toContain(stop);
  subscription.close();
});

describe("manual mode, frames that the gateway no longer keeps", () => {
  const lose = (packets: readonly Uint8Array[]) => device.send(packets, { lost: packets.map((_, i) => i) });

  test("the release may be among them: the listen ends, and an apology is due", async () => {
    const listen = await device.listen("manual");
    lose(say("time"));
    expect(await device.heard()).toMatchObject({ text: "", reason: "failed", listen });
    expect((await device.answer(isUserSpeaking(false))).origin).toBeDefined();
  });

  test("the release is not among them: an apology is due, too", async () => {
    await device.listen("manual");
    lose(say("time"));
    const stop = await device.control({ type: "stop" });
    expect(await device.heard()).toMatchObject({ text: "", reason: "failed", origin: stop });
  });
});
