import type { Bus } from "@voxbus/bus";
import { channels, type Outbound, type Stats } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import {
  connectTestBus,
  encodeSpeech,
  isUserSpeaking,
  loadSpeech,
  openTestGateway,
  startModelServer,
  startNatsServer,
  silence,
  type Answer,
  type ModelServer,
  type NatsServer,
} from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { asr, buildAsr } from "./app.ts";
import { joinSamples } from "./join-samples.ts";

// Under load the machine is slow, and that is no failure.
vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 40_000 };

let nats: NatsServer;
let bus: Bus;
let recognizer: ModelServer;
let running: Running;
let env: Record<string, string>;
/** Functions that let the recognizer answer its open requests, oldest first. `most`: the most that it ever had. */
const open = new Set<() => void>();
let most = 0;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  recognizer = await startModelServer({
    async transcribe(_, { gone }) {
      await new Promise<void>((resolve) => {
        open.add(resolve);
        most = Math.max(most, open.size);
        gone.addEventListener("abort", () => open.delete(resolve));
      });
      return "what time is it";
    },
  });
  env = {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_ASR_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_ASR_ENGINE: "openai",
    VOXBUS_ASR_URL: recognizer.url,
    VOXBUS_ASR_REQUESTS: "2",
    VOXBUS_ASR_THREADS: "1",
    VOXBUS_ASR_TIMEOUT_MS: "50000",
    VOXBUS_TURN_DEADLINE_MS: "200",
  };
  running = await startSubscriber(asr, buildAsr, env);
}, 60_000);
afterAll(async () => {
  await running.stop("quick");
  await recognizer.close();
  await bus.close();
  await nats.stop();
});

/** Lets devices speak, one utterance each. */
async function speak(names: readonly string[]) {
  const devices = names.map((name) => openTestGateway(bus, name));
  onTestFinished(() => {
    for (const device of devices) device.close();
  });
  const speech = encodeSpeech(joinSamples(silence(300), loadSpeech("time"), silence(900)));
  await Promise.all(
    devices.map(async (device) => {
      await device.listen("auto");
      device.send(speech);
    }),
  );
  return devices;
}

/** Lets the recognizer answer its open requests, one after the other. */
async function finishNext() {
  await vi.waitFor(() => expect(open.size).toBeGreaterThan(0), patience);
  const [finish] = open;
  open.delete(finish!);
  finish!();
}

/** Collects the frames that tell a gateway of speech that waits. */
async function collectWaits(): Promise<readonly Outbound[]> {
  const signs: Outbound[] = [];
  const following = bus.subscribe(channels.out("*"), (frame) => {
    if (frame.kind === "control" && frame.body.type === "working" && frame.body.waits) signs.push(frame);
  });
  onTestFinished(() => following.close());
  await bus.flush();
  return signs;
}

test("asr: utterances beyond the recognizer's slots wait, and all are recognized", async () => {
  const reports: Stats[] = [];
  const following = bus.subscribe(channels.stats("asr"), (stats) => void reports.push(stats));
  const devices = await speak(["a", "b", "c", "d", "e"]);
  const pool = () => reports.at(-1)?.pools?.find(({ name }) => name === "recognition");
  await vi.waitFor(
    () =>
      expect(pool()).toMatchObject({ slots: 2, work: [{ priority: "high", running: 2, waiting: 3, peak: 2 }, {}, {}] }),
    patience,
  );
  expect(reports.at(-1)!.gauges["queue"]).toBe(3);
  expect(
    reports
      .at(-1)!
      .pools!.map(({ name }) => name)
      .sort(),
  ).toEqual(["opus-in", "recognition", "recognition-embedded"]);
  for (let answered = 0; answered < 5; answered += 1) await finishNext();
  const heard = await Promise.all(devices.map((device) => device.heard()));
  expect(heard.map(({ text }) => text)).toEqual(devices.map(() => "what time is it"));
  expect(most).toBe(2);
  following.close();
});

test("asr: an abort of the device closes the recognizer's request, and gives its slot to the next utterance", async () => {
  const [first, second] = await speak(["f", "g"]);
  await vi.waitFor(() => expect(open.size).toBe(2), patience);
  const before = [...open];
  const [third] = await speak(["h"]);
  await third!.answer(isUserSpeaking(true));
  const cancelled = recognizer.whenCancelled();
  await first!.control({ type: "abort" });
  await cancelled;
  await vi.waitFor(() => expect([...open].filter((one) => !before.includes(one))).toHaveLength(1), patience);
  for (const finish of open) finish();
  const heard = await Promise.all([second!.heard(), third!.heard()]);
  expect(heard.map(({ text }) => text)).toEqual(["what time is it", "what time is it"]);
});

test("asr: a fence closes the recognizer's request for speech up to it, and later speech is heard", async () => {
  const [device] = await speak(["n"]);
  await vi.waitFor(() => expect(open.size).toBe(1), patience);
  const cancelled = recognizer.whenCancelled();
  const onset = await device!.answer(isUserSpeaking(true));
  // A fence below the last frame with a voice leaves the speech alone.
  await device!.control({ type: "fence", fence: onset.seq + 3 });
  const fence = device!.send(encodeSpeech(silence(60)));
  const speech = encodeSpeech(joinSamples(loadSpeech("joke"), silence(900)));
  device!.send(speech.slice(0, 8));
  await vi.waitFor(() => expect(device!.answers.filter(isUserSpeaking(true))).toHaveLength(2), patience);
  expect(open.size).toBe(1);
  await device!.control({ type: "fence", fence });
  await cancelled;
  device!.send(speech.slice(8));
  await finishNext();
  expect((await device!.heard()).from).toBeGreaterThan(fence);
});

test("asr: a fence at the end of speech that is not found yet leaves the speech without a request", async () => {
  const [device] = await speak(["o"]);
  await vi.waitFor(() => expect(open.size).toBe(1), patience);
  await finishNext();
  const { origin } = await device!.heard();
  const before = recognizer.requests.transcription.length;
  device!.send(encodeSpeech(loadSpeech("time")));
  await vi.waitFor(() => expect(device!.answers.filter(isUserSpeaking(true))).toHaveLength(2), patience);
  const fence = device!.send(encodeSpeech(silence(60)));
  await device!.control({ type: "fence", fence });
  device!.send(encodeSpeech(silence(900)));
  const isSilence = (answer: Answer) => answer.type === "user-speaking" && !answer.on && answer.seq > origin;
  await vi.waitFor(() => expect(device!.answers.filter(isSilence)).toHaveLength(1), patience);
  expect(recognizer.requests.transcription).toHaveLength(before);
});

test("asr: when speech will wait too long for the recognizer, the gateway is told, with its origin", async () => {
  const [first, second] = await speak(["i", "j"]);
  await vi.waitFor(() => expect(open.size).toBe(2), patience);
  const signs = await collectWaits();
  const [third] = await speak(["k"]);
  await vi.waitFor(() => expect(signs).toHaveLength(1), patience);
  for (const _ of [1, 2, 3]) await finishNext();
  const [, , heard] = await Promise.all([first!.heard(), second!.heard(), third!.heard()]);
  expect(signs[0]).toMatchObject({ origin: heard.origin, session: heard.session, body: { waits: true } });
});

test("asr: speech waits for the calls of a minute, and the gateway is told, though slots are free", async () => {
  await running.stop("quick");
  running = await startSubscriber(asr, buildAsr, {
    ...env,
    VOXBUS_ASR_CALLS_PER_MINUTE: "1",
    VOXBUS_ASR_TRANSCRIPT_MS: "300000",
  });
  const signs = await collectWaits();
  const [first] = await speak(["l"]);
  await finishNext();
  await first!.heard();
  expect(signs).toEqual([]);
  await speak(["m"]);
  await vi.waitFor(() => expect(signs).toMatchObject([{ session: "session-m" }]), { timeout: 10_000 });
});
