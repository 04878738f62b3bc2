import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readWav } from "@voxbus/audio";
import { foreignVariables, startModelServer, type ModelServer } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
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

const spoken = {
  question: "what is seven plus five",
  hello: "hello there",
  unspeakable: "i cannot speak this language yet",
  failed: "i am sorry i cannot answer right now",
  interrupted: "this is the beginning i am sorry i lost my thread",
} as const;
const samples = fileURLToPath(new URL("../../../samples/", import.meta.url));

let directory: string;
let recognize: (wav: Uint8Array) => string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "voxbus-model-"));
  recognize = await createRecognizer([...Object.values(spoken), ...decoys]);
});
afterAll(() => rm(directory, { recursive: true }));

/** Recognizes the sound that the device has played since the last call. */
async function listenTo(device: ScriptedDevice): Promise<string> {
  const file = join(directory, "answer.wav");
  await device.do({ do: "save", file });
  return recognize(await readFile(file));
}

async function* write(...pieces: readonly string[]): AsyncGenerator<string> {
  yield* pieces;
}

describe("a model behind an OpenAI-compatible endpoint", () => {
  let server: ModelServer;
  let system: LaunchedSystem;
  let device: ScriptedDevice;
  beforeAll(async () => {
    // A broken espeak-ng hides an installed one.
    await writeFile(join(directory, "espeak-ng"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    server = await startModelServer();
    const PATH = [directory, process.env["PATH"]].join(delimiter);
    system = await launchSystem({
      env: { ...foreignVariables, VOXBUS_LLM_ENGINE: "openai", VOXBUS_LLM_URL: server.url, PATH },
    });
    device = await startDevice(system.devices[0]!, "talker", "--no-tools");
  });
  afterAll(async () => {
    await device.end();
    await system.close();
    await server.close();
  });

  test("model: its first sentence plays while it writes the second", async () => {
    let goOn: () => void = () => undefined;
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    server.script.chat = async function* () {
      yield* ["😀 The first", " sentence is here. ", "The "];
      await mayGoOn;
      yield* ["second one", " follows."];
    };
    await device.do({ do: "text", text: "tell me something" });
    const stt = await device.next(isMessage({ type: "stt" }));
    await device.next(isAudio);
    goOn();
    await device.turn();
    const turn = device.lines.slice(device.lines.indexOf(stt));
    expect(nameMessages(turn)).toEqual([...oneSentenceTurn.slice(0, -1), ...oneSentenceTurn.slice(-3)]);
    expect(turn.find(isMessage({ type: "llm" }))?.message).toMatchObject({ emotion: "happy" });
    expect(readSentences(turn)).toEqual(["The first sentence is here.", "The second one follows."]);
    await device.do({ do: "save", file: join(directory, "answer.wav") });
  });

  test("model: variables of other programs for OpenAI's library reach no server", async () => {
    let asked: unknown;
    server.script.chat = (_request, { headers }) => {
      asked = headers;
      return write("Fine.");
    };
    await device.do({ do: "text", text: "how are you" });
    await device.turn();
    expect(JSON.stringify(asked)).toContain("authorization");
    expect(JSON.stringify(asked)).not.toContain("foreign");
    expect(system.output()).toContain("variables of other programs not used");
  });

  test("model: an answer that no voice can speak is shown, and an apology is spoken", async () => {
    server.script.chat = () => write("今天天气很好。");
    await device.do({ do: "text", text: "speak Chinese" });
    const turn = await device.turn();
    expect(nameMessages(turn)).toEqual(oneSentenceTurn);
    expect(readSentences(turn)).toEqual(["今天天气很好。"]);
    expect(await listenTo(device)).toBe(spoken.unspeakable);
  });

  test("model: if it fails, the device plays an apology", async () => {
    server.script.chat = () => 500;
    await device.do({ do: "text", text: "are you well" });
    const turn = await device.turn();
    expect(nameMessages(turn)).toEqual(oneSentenceTurn);
    expect(turn.find(isMessage({ type: "llm" }))?.message).toMatchObject({ emotion: "sad" });
    expect(await listenTo(device)).toBe(spoken.failed);
  });

  test("model: if its error quotes the question, no program prints it", async () => {
    const question = "is my rash contagious";
    const body = { error: { message: question, code: question, param: question } };
    server.script.chat = () => ({ status: 400, body });
    const failed = system.awaitLine(/turn failed/);
    await device.do({ do: "text", text: question });
    expect(await failed).toContain("BadRequestError");
    await device.turn();
    expect(await listenTo(device)).toBe(spoken.failed);
    expect(system.output()).not.toContain("rash");
  });

  test("model: if it breaks off, the device plays its beginning and an apology", async () => {
    server.script.chat = async function* () {
      yield "This is the beginning. ";
      throw new Error("the model is gone");
    };
    await device.do({ do: "text", text: "tell me more" });
    expect(readSentences(await device.turn())).toEqual(["This is the beginning.", "I am sorry, I lost my thread."]);
    expect(await listenTo(device)).toBe(spoken.interrupted);
  });
});

describe("transcription and speech behind OpenAI-compatible endpoints", () => {
  let server: ModelServer;
  let system: LaunchedSystem;
  let device: ScriptedDevice;
  beforeAll(async () => {
    server = await startModelServer();
    const roles = ["ASR", "LLM", "TTS"];
    system = await launchSystem({
      env: Object.fromEntries(
        roles.flatMap((role) => [
          [`VOXBUS_${role}_ENGINE`, "openai"],
          [`VOXBUS_${role}_URL`, server.url],
        ]),
      ),
    });
    device = await startDevice(system.devices[0]!, "talker", "--no-tools");
  });
  afterAll(async () => {
    await device.end();
    await system.close();
    await server.close();
  });

  test("endpoints: speech is uploaded as a WAV, its text goes to the model, the answer to the voice, the sound to the device", async () => {
    const uploads: { readonly wav: Uint8Array; readonly language: string | null }[] = [];
    const said: unknown[] = [];
    const texts: string[] = [];
    server.script.transcribe = ({ wav, language }) => {
      uploads.push({ wav, language });
      return "Tell me about whales.";
    };
    server.script.chat = ({ messages }) => {
      said.push(messages.at(-1)?.content);
      return write("Whales sing.");
    };
    server.script.speak = async ({ input }) => {
      texts.push(input);
      return readFile(join(samples, "hello.wav"));
    };
    await device.do({ do: "wav", file: join(samples, "sum.wav") });
    const turn = await device.turn();
    expect(nameMessages(turn)).toEqual(oneSentenceTurn);
    expect(turn.find(isMessage({ type: "stt" }))?.message).toMatchObject({ text: "Tell me about whales." });
    expect(uploads).toMatchObject([{ language: "en" }]);
    expect(readWav(uploads[0]!.wav)).toMatchObject({ sampleRate: 16_000, channels: 1 });
    expect(recognize(uploads[0]!.wav)).toBe(spoken.question);
    expect(said).toEqual(["Tell me about whales."]);
    expect(texts).toEqual(["Whales sing."]);
    expect(readSentences(turn)).toEqual(["Whales sing."]);
    expect(await listenTo(device)).toBe(spoken.hello);
  });
});
