import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeWav } from "@voxbus/audio";
import type { Bus } from "@voxbus/bus";
import { buckets, channels, type Event } from "@voxbus/protocol";
import {
  connectTestBus,
  createInbox,
  createTone,
  findFreePort,
  startModelServer,
  startNatsServer,
  type ModelServer,
} from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem } from "./launcher.ts";
import { isAudio, isMessage, readSentences, startDevice, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000 });

const undo: (() => unknown)[] = [];
let bus: Bus;
let cloud: ModelServer;
let device: ScriptedDevice;
const played = createInbox<NonNullable<Event["turn"]>>();

beforeAll(async () => {
  const nats = await startNatsServer();
  undo.push(() => nats.stop());
  cloud = await startModelServer({
    transcribe: () => "who are you",
    chat: () => ["I am the cloud."],
    speak: () => writeWav({ sampleRate: 24_000, samples: createTone(24_000, 600) }),
  });
  undo.push(() => cloud.close());
  const away = { kind: "openai", model: "m", url: `http://127.0.0.1:${await findFreePort()}/v1` };
  const there = { ...away, url: cloud.url };
  const engines = (["asr", "llm", "tts"] as const).flatMap((role) => [
    { ...away, role, name: `${role}-away` },
    { ...there, role, name: `${role}-cloud` },
  ]);
  const usual = { asr: ["asr-away", "asr-cloud"], llm: ["llm-away", "llm-cloud"], tts: ["tts-away", "tts-cloud"] };
  const path = join(mkdtempSync(join(tmpdir(), "voxbus-")), "engines.json");
  writeFileSync(path, JSON.stringify({ engines, usual }));
  const system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url, VOXBUS_ENGINES_FILE: path } });
  undo.push(() => system.close());
  bus = await connectTestBus(nats.url);
  undo.push(() => bus.close());
  bus.subscribe(channels.event("speaker"), ({ turn }) => {
    if (turn !== undefined) played.put(turn);
  });
  device = await startDevice(system.devices[0]!, "speaker", "--no-tools");
  undo.push(() => device.end());
});
afterAll(async () => {
  for (const step of undo.toReversed()) await step();
});

test("engines: while the first engine of each role is down, a spoken question is answered by the next ones", async () => {
  await device.do({ do: "wav", file: "samples/time.wav" });
  const turn = await device.turn();
  expect(turn.find(isMessage({ type: "stt" }))?.message).toMatchObject({ text: "who are you" });
  expect([readSentences(turn), turn.some(isAudio)]).toEqual([["I am the cloud."], true]);
  expect(await played.take(() => true)).toMatchObject({ complete: true, engine: "tts-cloud" });
  const heard = await bus.lastStored(channels.heard("speaker"));
  const say = await bus.lastStored(channels.sayOpen("speaker"));
  expect([heard.message?.engine, say.message?.engine]).toEqual(["asr-cloud", "llm-cloud"]);
});

test("engines: when all models of a device are down, it hears an apology, and its profile may name another one", async () => {
  cloud.script.chat = () => ({ status: 429, body: { error: { code: "insufficient_quota" } } });
  await device.do({ do: "text", text: "hello" });
  const turn = await device.turn();
  expect([readSentences(turn), turn.some(isAudio)]).toEqual([["I am sorry, I cannot answer right now."], true]);
  await bus.bucket(buckets.profiles).put("speaker", { engines: { llm: ["embedded"] } });
  await expect
    .poll(async () => {
      await device.do({ do: "text", text: "hello" });
      return readSentences(await device.turn()).join(" ");
    })
    .toMatch(/^Hello/);
});
