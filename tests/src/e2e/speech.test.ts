import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { createRecognizer, decoys } from "./recognizer.ts";
import {
  isAudio,
  isMessage,
  nameMessages,
  oneSentenceTurn,
  readSentences,
  startDevice,
  type ScriptedDevice,
} from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000 });

const answers = {
  sum: "that is twelve",
  hello: "hello how can i help you",
  other: "i am sorry i did not understand that say help to hear what i know",
  volume: "the volume is now fifty percent",
} as const;
interface JsonRpc {
  readonly id: number;
  readonly method?: string;
  readonly params?: unknown;
}
const isCall = (payload: unknown): payload is JsonRpc => (payload as JsonRpc | undefined)?.method === "tools/call";

let system: LaunchedSystem;
let directory: string;
const mqttPort = await findFreePort();
let recognize: (wav: Uint8Array) => string;
const devices: ScriptedDevice[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "voxbus-speech-"));
  const env = { VOXBUS_MQTT_PORT: String(mqttPort), VOXBUS_UDP_PORT: "0" };
  [system, recognize] = await Promise.all([
    launchSystem({ env }),
    createRecognizer([...Object.values(answers), ...decoys]),
  ]);
});
afterAll(async () => {
  await Promise.all(devices.map((device) => device.end()));
  await system.close();
  await rm(directory, { recursive: true });
});

async function connect(id: string, ...args: readonly string[]): Promise<ScriptedDevice> {
  const device = await startDevice(system.devices[0]!, id, ...args);
  devices.push(device);
  return device;
}

/** Recognizes the sound that the device has played since the last call. */
async function listenTo(device: ScriptedDevice, name: string): Promise<string> {
  const file = join(directory, `${name}.wav`);
  await device.do({ do: "save", file });
  return recognize(await readFile(file));
}

test.concurrent("speech: a spoken question is recognized and answered in order, in intelligible words", async () => {
  const device = await connect("asker");
  await device.do({ do: "wav", file: "samples/sum.wav" });
  const turn = await device.turn();
  expect(nameMessages(turn)).toEqual(oneSentenceTurn);
  expect(turn.find(isMessage({ type: "stt" }))?.message).toMatchObject({ text: "what is seven plus five" });
  expect(turn.find(isMessage({ type: "llm" }))?.message).toMatchObject({ emotion: "confident" });
  expect(readSentences(turn)).toEqual(["That is 12."]);
  const sound = turn.filter(isAudio);
  expect(sound.length).toBeGreaterThan(8);
  expect(sound.every(({ played }) => played)).toBe(true);
  expect(await listenTo(device, "sum")).toBe(answers.sum);

  // The next turn uses the same connection.
  await device.do({ do: "wav", file: "samples/hello.wav" });
  const next = await device.turn();
  expect(nameMessages(next)).toEqual([...oneSentenceTurn.slice(0, -1), "tts/sentence_start", "audio", "tts/stop"]);
  expect(next.find(isMessage({ type: "stt" }))?.message).toMatchObject({ text: "hello there" });
  expect(await listenTo(device, "hello")).toBe(answers.hello);
});

test.concurrent("speech: an unknown phrase is answered aloud with an apology and a hint", async () => {
  const device = await connect("stranger");
  await device.do({ do: "wav", file: "samples/other.wav" });
  const turn = await device.turn();
  expect(nameMessages(turn)).toEqual([
    "tts/start",
    "llm",
    "tts/sentence_start",
    "audio",
    "tts/sentence_start",
    "audio",
    "tts/stop",
  ]);
  expect(readSentences(turn).join(" ")).toMatch(/did not understand.* Say help/);
  expect(await listenTo(device, "other")).toBe(answers.other);
});

test.concurrent("speech: with a button, its release is the end of speech, even after a long pause", async () => {
  const device = await connect("presser");
  await device.do({ do: "listen", mode: "manual" });
  await device.do({ do: "wav", file: "samples/sum-rms.wav" });
  await device.do({ do: "sleep", ms: 1500 });
  const stopped = await device.do({ do: "stop" });
  const turn = await device.turn();
  expect(nameMessages(turn)).toEqual(oneSentenceTurn);
  const heard = turn.find(isMessage({ type: "stt", text: "what is nine times eight" }));
  expect(device.lines.indexOf(heard!)).toBeGreaterThan(device.lines.indexOf(stopped));
  expect(readSentences(turn)).toEqual(["That is 72."]);
});

test.concurrent("speech: a request to the device calls its tool, and the answer tells the result", async () => {
  const device = await connect("speaker");
  await device.do({ do: "wav", file: "samples/volume.wav" });
  const turn = await device.turn();
  expect(turn.find(isMessage({ type: "stt" }))?.message).toMatchObject({ text: "set the volume to fifty" });
  const call = turn.map(({ message }) => message?.["payload"]).find(isCall);
  expect(call?.params).toEqual({ name: "self.audio_speaker.set_volume", arguments: { volume: 50 } });
  const answer = turn.find(({ sent }) => (sent?.["payload"] as JsonRpc | undefined)?.id === call?.id)?.sent;
  expect(answer).toMatchObject({ payload: { result: { content: [{ type: "text", text: "true" }], isError: false } } });
  expect(nameMessages(turn)).toEqual(oneSentenceTurn);
  expect(await listenTo(device, "volume")).toBe(answers.volume);
});

test.concurrent("speech: a question during a story stops the story and is answered", async () => {
  const device = await connect("interrupter", "--mode", "realtime");
  await device.do({ do: "wav", file: "samples/story.wav" });
  await device.next(isMessage({ type: "tts", state: "sentence_start" }));
  await device.next(isMessage({ type: "tts", state: "sentence_start" }));
  await device.next(isAudio);
  await device.do({ do: "wav", file: "samples/sum.wav" });
  const cut = await device.turn();
  expect(readSentences(cut).length).toBeLessThan(10);
  expect(readSentences(cut)).not.toContain("That is 12.");
  const turn = await device.turn();
  expect(nameMessages(turn)).toEqual(oneSentenceTurn);
  expect(turn.find(isMessage({ type: "stt" }))?.message).toMatchObject({ text: "what is seven plus five" });
  expect(readSentences(turn)).toEqual(["That is 12."]);
});

test.concurrent(
  "speech: a device over MQTT is shown what is announced while it is idle, and speaks in a conversation",
  async () => {
    const device = await startDevice(`mqtt://127.0.0.1:${mqttPort}`, "sleeper", "--mqtt");
    devices.push(device);
    const announce = (text: string) =>
      fetch(`${system.monitor}api/devices/sleeper/say`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text }),
      });
    await vi.waitFor(async () => expect((await announce("Dinner is ready. Come down.")).status).toBe(202), 10_000);
    await device.next(isMessage({ type: "alert", message: "Dinner is ready. Come down." }));
    await device.do({ do: "wav", file: "samples/sum.wav" });
    const turn = await device.turn();
    expect(nameMessages(turn).slice(1)).toEqual(oneSentenceTurn);
    expect(readSentences(turn)).toEqual(["That is 12."]);
    expect(await listenTo(device, "sleeper")).toBe(answers.sum);
    await device.do({ do: "button" });
    await vi.waitFor(async () => {
      const found = await fetch(`${system.monitor}api/devices/sleeper`);
      expect(await found.json()).toMatchObject({ audio: "closed", state: "idle" });
    }, 5000);
    await announce("Good night.");
    await device.next(isMessage({ type: "alert", message: "Good night." }));
    expect(device.lines.filter(isMessage({ type: "tts", state: "start" }))).toHaveLength(1);
  },
);
