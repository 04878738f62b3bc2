import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
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
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { asr, buildAsr } from "./app.ts";
import { joinSamples } from "./join-samples.ts";

// Under load the machine is slow, and that is no failure.
vi.setConfig({ testTimeout: 30_000 });

let nats: NatsServer;
let bus: Bus;
let device: TestGateway;
let env: Record<string, string>;
const children = new Set<ChildProcess>();
const services = new Set<Running>();
let count = 0;

/** An asr as a process of its own, ready to be killed. */
async function spawnAsr(): Promise<ChildProcess> {
  const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  children.add(child);
  await once(child, "message");
  return child;
}
async function startAsr(more: Record<string, string> = {}): Promise<Running> {
  const service = await startSubscriber(asr, buildAsr, { ...env, ...more });
  services.add(service);
  return service;
}

const say = (name: string) => encodeSpeech(joinSamples(silence(600), loadSpeech(name), silence(900)));
const isOn = isUserSpeaking(true);
const isOff = isUserSpeaking(false);
const texts = () => device.answers.flatMap((answer) => (answer.type === "heard" ? [answer.heard.text] : []));

beforeAll(async () => {
  nats = await startNatsServer();
  env = {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_ASR_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_ASR_THREADS: "1",
  };
  bus = await connectTestBus(nats.url);
}, 30_000);
afterAll(async () => {
  await bus.close();
  await nats.stop();
});
beforeEach(() => {
  count += 1;
  device = openTestGateway(bus, `device-${count}`);
});
afterEach(async () => {
  await device.control({ type: "closed", code: 1006, reason: "" });
  for (const service of services) await service.stop("quick");
  services.clear();
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  device.close();
});

test("an asr killed in mid-utterance: its successor hears the whole utterance, and none twice", async () => {
  const first = await spawnAsr();
  const listen = await device.listen("auto");
  device.send(say("time"));
  await device.heard(0);
  const packets = say("volume");
  const { length } = device.answers;
  device.send(packets.slice(0, 25));
  await device.answer((answer): answer is Extract<Answer, { type: "user-speaking" }> => {
    return isOn(answer) && device.answers.indexOf(answer) >= length;
  });
  first.kill("SIGKILL");
  const successor = startAsr();
  device.send(packets.slice(25));
  await successor;
  expect(await device.heard(1)).toMatchObject({ text: "set the volume to fifty", listen, utterance: 2 });
  device.send(say("joke"));
  await device.heard(2);
  expect(texts()).toEqual(["what time is it", "set the volume to fifty", "tell me a joke"]);
});

test.each(["SIGTERM", "POST /pre-stop"])(
  "an asr that drains (%s): stores the open utterance and hands over silent listens",
  async (how) => {
    const first = await startAsr();
    const quiet = openTestGateway(bus, `device-quiet-${count}`);
    await quiet.listen("realtime");
    quiet.send(encodeSpeech(silence(600)));
    const listen = await device.listen("realtime");
    const packets = say("volume");
    device.send(packets.slice(0, 25));
    await device.answer(isOn);
    const preStop = () => fetch(`${first.addresses["ops"]}/pre-stop`, { method: "POST" });
    const stopped = how === "SIGTERM" ? first.stop("drain") : preStop().then(({ status }) => expect(status).toBe(200));
    device.send(packets.slice(25));
    expect(await device.heard()).toMatchObject({ text: "set the volume to fifty", listen });
    await stopped;
    await startAsr();
    quiet.send(say("joke"));
    expect((await quiet.heard()).text).toBe("tell me a joke");
    device.send(say("time"));
    expect(await device.heard(1)).toMatchObject({ text: "what time is it", listen, utterance: 2 });
    await quiet.control({ type: "closed", code: 1006, reason: "" });
    quiet.close();
  },
);

test("a listen that killed three workers: the fourth only makes sure that the user gets an apology", async () => {
  let attempts = 0;
  const claims = await bus.claim({
    channel: channels.inControlOpen("*"),
    durable: "asr",
    slots: 1,
    work: async (claim) => {
      if (claim.device !== `device-${count}`) return;
      attempts = claim.attempt;
      throw new Error("killed");
    },
  });
  const listen = await device.listen("auto");
  await expect.poll(() => attempts, { timeout: 10_000 }).toBe(3);
  await claims.drain(0);
  await startAsr();
  device.send(say("time"));
  expect(await device.heard()).toMatchObject({ text: "", reason: "failed", listen, origin: listen });
  expect(await device.answer(isOff)).toMatchObject({ origin: listen });
});

test("a listen that the stream has forgotten: its asr sends signs to the gateway, which cease when it dies", async () => {
  const signs: string[] = [];
  bus.subscribe(channels.out(`device-${count}`), ({ kind, body }) => {
    if (kind === "control" && body.type === "listening") signs.push(`${body.seq} ${body.state}`);
  });
  const first = await spawnAsr();
  const listen = await device.listen("realtime");
  await expect.poll(() => signs).toEqual([`${listen} on`]);
  const other = { session: "another", seq: 1, at: Date.now(), kind: "control", body: { type: "stop" } } as const;
  const open = channels.inControlOpen(`device-${count}`);
  for (let i = 0; i < 256; i++) await bus.store(open, other, { id: `other:${i}` });
  expect((await bus.stored(open, { limit: 300 })).messages.every(({ session }) => session === "another")).toBe(true);
  await expect.poll(() => signs.length, { timeout: 10_000 }).toBe(2);
  device.send(say("time"));
  await device.heard(0);
  first.kill("SIGKILL");
  await startAsr();
  const again = await device.listen("realtime");
  device.send(say("joke"));
  expect(await device.heard(1)).toMatchObject({ text: "tell me a joke", listen: again });
  expect(signs.at(-1)).toBe(`${again} on`);
});

test("an engine that fails: a final that says so, an answer is announced, and the listen goes on", async () => {
  await startAsr({ VOXBUS_ASR_ENGINE: "openai", VOXBUS_ASR_URL: "http://127.0.0.1:1/v1" });
  await device.listen("auto");
  device.send([...say("time"), ...say("joke")]);
  const second = await device.heard(1);
  expect(second).toMatchObject({ text: "", reason: "failed", utterance: 2 });
  const origins = [(await device.heard(0)).origin, second.origin];
  await expect
    .poll(() => device.answers.filter(isOff).map(({ origin }) => origin), { timeout: 10_000 })
    .toEqual(origins);
});
