import { once } from "node:events";
import { writeWav } from "@voxbus/audio";
import { startModelServer, type ModelServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import {
  isAudio,
  isMessage,
  nameMessages,
  readSentences,
  startDevice,
  type ScriptedDevice,
} from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000 });

const packetMs = 60;
const shortMs = 480;
const longMs = 20_000;

let server: ModelServer;
let system: LaunchedSystem;
let device: ScriptedDevice;

beforeAll(async () => {
  server = await startModelServer();
  system = await launchSystem({
    env: {
      VOXBUS_LLM_ENGINE: "openai",
      VOXBUS_LLM_URL: server.url,
      VOXBUS_TTS_ENGINE: "openai",
      VOXBUS_TTS_URL: server.url,
    },
  });
  device = await startDevice(system.devices[0]!, "aborter", "--no-tools");
});
afterAll(async () => {
  await device.end();
  await system.close();
  await server.close();
});

const createTone = (ms: number) => {
  const samples = Int16Array.from({ length: ms * 24 }, (_, at) => 8000 * Math.sin((2 * Math.PI * 440 * at) / 24_000));
  return writeWav({ sampleRate: 24_000, samples });
};

async function* write(...pieces: readonly string[]): AsyncGenerator<string> {
  yield* pieces;
}

/** Asks another question. Its answer must be complete, with nothing of the previous turn in between. */
async function expectNextTurn(): Promise<void> {
  server.script.chat = () => write("Here I am again.");
  server.script.speak = async () => createTone(shortMs);
  await device.do({ do: "text", text: "are you there" });
  const turn = await device.turn();
  expect(nameMessages(turn)).toEqual(["stt", "tts/start", "llm", "tts/sentence_start", "audio", "tts/stop"]);
  expect(readSentences(turn)).toEqual(["Here I am again."]);
  expect(turn.filter(isAudio)).toHaveLength(shortMs / packetMs);
}

test("abort: before the model answers, it silences the device and cancels the request to the model", async () => {
  let told: Promise<unknown> | undefined;
  const asked = new Promise<void>((resolve) => {
    server.script.chat = async function* (_request, { gone }) {
      told = once(gone, "abort");
      resolve();
      await told;
      yield "Too late.";
    };
  });
  await device.do({ do: "text", text: "what is the meaning of life" });
  await device.next(isMessage({ type: "tts", state: "start" }));
  await asked;
  await device.do({ do: "abort" });
  expect(nameMessages(await device.turn())).toEqual(["tts/stop"]);
  await told;
  await expectNextTurn();
});

test("abort: before the first sound, it silences the device, and later sound is not played", async () => {
  let release: (wav: Uint8Array) => void = () => undefined;
  server.script.chat = () => write("This takes a while to say.");
  const synthesizing = new Promise<void>((begun) => {
    server.script.speak = async () => {
      begun();
      return new Promise<Uint8Array>((resolve) => (release = resolve));
    };
  });
  await device.do({ do: "text", text: "say something slowly" });
  await device.next(isMessage({ type: "tts", state: "start" }));
  await synthesizing;
  await device.do({ do: "abort", reason: "wake_word_detected" });
  expect(nameMessages(await device.turn())).not.toContain("audio");
  release(createTone(shortMs));
  await expectNextTurn();
});

test("abort: in mid-sentence, it silences the device, and sound that is ready is not played", async () => {
  server.script.chat = () => write("This is a very long tone.");
  server.script.speak = async () => createTone(longMs);
  await device.do({ do: "text", text: "sing" });
  for (let frames = 0; frames < 5; frames++) await device.next(isAudio);
  await device.do({ do: "abort" });
  const turn = await device.turn();
  expect(nameMessages(turn).filter((name) => name !== "audio")).toEqual(["tts/stop"]);
  expect(turn.filter(isAudio).length).toBeLessThan(Math.floor(longMs / packetMs) - 5);
  await expectNextTurn();
});

test("abort: in the first sentence of five, the model is told later that only that one was heard", async () => {
  const sentences = ["One is long enough.", "Two is too.", "Three follows it.", "Four is near.", "Five ends it."];
  server.script.chat = () => write(sentences.join(" "));
  server.script.speak = async () => createTone(2000);
  await device.do({ do: "text", text: "count for me" });
  for (let frames = 0; frames < 5; frames++) await device.next(isAudio);
  await device.do({ do: "abort" });
  await device.turn();
  await expectNextTurn();
  await expectNextTurn();
  const messages = server.requests.chat.at(-1)?.messages.map(({ role, content }) => `${role}: ${content}`) ?? [];
  const at = messages.indexOf("user: count for me");
  expect(messages.slice(at, at + 5)).toEqual([
    "user: count for me",
    "assistant: One is long enough. [interrupted]",
    "user: are you there",
    "assistant: Here I am again.",
    "user: are you there",
  ]);
});
