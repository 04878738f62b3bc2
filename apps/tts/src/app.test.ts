import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { buckets, channels, type Outbound, type Say } from "@voxbus/protocol";
import { readConfig } from "@voxbus/service";
import { startSubscriber } from "@voxbus/subscriber";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildTts, tts } from "./app.ts";
import { ttsConfig } from "./config.ts";
import { findEspeak } from "./engines/espeak.ts";

let nats: NatsServer;
let bus: Bus;
let registry: Registry;
const children: ChildProcess[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  registry = await createRegistry(bus, {
    id: "g",
    address: "http://127.0.0.1:1",
    load: () => ({ connections: 2, speaking: 0 }),
  });
  const entry = { since: 1, remote: "", protocol: 1, features: {}, state: "active" as const };
  for (const device of ["one", "two"]) {
    await registry.enter(device, { ...entry, session: `s-${device}` }, new AbortController().signal);
  }
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await registry.close();
  await bus.close();
  await nats.stop();
});

const environment = () => ({ VOXBUS_NATS_URL: nats.url, VOXBUS_TTS_OPS_PORT: "0", VOXBUS_LOG_LEVEL: "fatal" });

const say = (device: string, text: string) => {
  const message: Say = { reply: `reply-${device}`, attempt: 1, sentence: 0, text, last: true };
  return bus.store(channels.sayOpen(device), message);
};

const waitForFrame = (device: string, wanted: (frame: Outbound) => boolean) =>
  new Promise<Outbound>((resolve) => {
    const subscription = bus.subscribe(channels.out(device), (frame) => {
      if (!wanted(frame)) return;
      subscription.close();
      resolve(frame);
    });
  });

test("tts: an announcement to an offline device is dropped", async () => {
  const running = await startSubscriber(tts, buildTts, environment());
  const isHeld = async (held: boolean) => {
    const lag = (await bus.lags()).find(({ durable }) => durable === "tts");
    return lag !== undefined && lag.held > 0 === held;
  };
  await say("nobody", "Is anybody there?");
  await expect.poll(() => isHeld(true), { timeout: 4000 }).toBe(true);
  await expect.poll(() => isHeld(false), { timeout: 15_000 }).toBe(true);
  await running.stop("quick");
});

test("tts: an announcement with keepMs is kept once, and one that is not whole is dropped by name", async () => {
  const running = await startSubscriber(tts, buildTts, environment());
  const message = { attempt: 1, sentence: 0, text: " Dinner. ", last: true, keepMs: 60_000 } as const;
  const send = (say: Partial<Say> & Pick<Say, "reply">) => bus.store(channels.sayOpen("away"), { ...message, ...say });
  await send({ reply: "parts", last: false });
  await send({ reply: "session", session: "s-away" });
  await send({ reply: "long", text: "x".repeat(5000) });
  await send({ reply: "empty", text: " " });
  for (const reply of ["k1", "k1", "not a name: ü"]) await send({ reply });
  const read = async () => (await bus.bucket(buckets.kept).get("away"))?.value?.messages ?? [];
  await expect.poll(async () => (await read()).length, { timeout: 10_000 }).toBe(2);
  expect(await read()).toMatchObject([
    { id: "k1", state: "waiting", text: "Dinner." },
    { id: expect.stringMatching(/^[0-9a-f]{64}$/), state: "waiting" },
  ]);
  const metrics = await (await fetch(`${running.addresses["ops"]}/metrics`)).text();
  expect(metrics).toMatch(/reason="bad-envelope"\S* 4$/m);
  await running.stop("quick");
});

test("tts: as a program it is ready, speaks, shows its numbers and stops quickly", async () => {
  const running = await startSubscriber(tts, buildTts, environment());
  const ended = waitForFrame("one", ({ end }) => end === "reply");
  await say("one", "Hello there.");
  expect(await ended).toMatchObject({ kind: "audio", reply: "reply-one", attempt: 1 });
  const metrics = await (await fetch(`${running.addresses["ops"]}/metrics`)).text();
  expect(metrics).toMatch(/^voxbus_tts_first_sound_seconds_count\S* 1$/m);
  expect(metrics).toMatch(/^voxbus_tts_replies\S* 1$/m);
  const from = performance.now();
  await running.stop("quick");
  expect(performance.now() - from).toBeLessThan(4000);
});

test("tts: killed in mid-sentence, another one begins the reply again", async () => {
  const start = async () => {
    const program = new URL("../dist/main.js", import.meta.url).pathname;
    const child = spawn(process.execPath, [program], {
      env: { ...process.env, ...environment() },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    children.push(child);
    await once(child, "message");
    return child;
  };
  const first = await start();
  const begun = waitForFrame("two", ({ kind }) => kind === "audio");
  await say("two", "A long sentence that is told slowly and with many words. ".repeat(6));
  await begun;
  first.kill("SIGKILL");
  await once(first, "exit");
  const again = waitForFrame("two", ({ kind, attempt = 0 }) => kind === "audio" && attempt > 1);
  await start();
  expect(await again).toMatchObject({ sentence: 0, n: 2 });
});

test("tts: all bad variables are named together, and so is a missing engine", async () => {
  const bad = { VOXBUS_TTS_ENGINE: "festival", VOXBUS_TTS_URL: "nowhere", VOXBUS_TTS_SAMPLE_RATE: "fast" };
  expect(() => readConfig(ttsConfig, bad)).toThrow(/TTS_ENGINE.*\n.*TTS_URL.*\n.*TTS_SAMPLE_RATE/);
  const unknown = startSubscriber(tts, buildTts, { ...environment(), VOXBUS_TTS_VOICE: "zoe" });
  await expect(unknown).rejects.toThrow("no voice zoe");
  if (await findEspeak()) return;
  await expect(startSubscriber(tts, buildTts, { ...environment(), VOXBUS_TTS_ENGINE: "espeak" })).rejects.toThrow(
    "no espeak-ng on PATH",
  );
});
