import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { readWav, writeWav } from "@voxbus/audio";
import { createTone } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chat, converse } from "./conversation.ts";
import {
  announce,
  answering,
  answerTurn,
  startScriptedServer,
  type ScriptedSession,
  type ServerScript,
} from "./test-server.ts";
import { encodeSilence } from "./utterance.ts";

let directory: string;
let wav: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "voxbus-"));
  wav = join(directory, "tone.wav");
  await writeFile(wav, writeWav({ sampleRate: 16_000, samples: createTone(16_000, 180) }));
});
afterAll(() => rm(directory, { recursive: true }));

async function withServer(script: ServerScript, run: (options: Parameters<typeof converse>[0]) => Promise<void>) {
  const server = await startScriptedServer(script);
  const lines: string[] = [];
  const identity = { url: server.url, id: "a", clientId: "b", protocol: 2 } as const;
  const device = { identity, mode: "auto", silence: encodeSilence() } as const;
  try {
    await run({ device, out: join(directory, "answer.wav"), timeoutMs: 2000, print: (line) => lines.push(line) });
    return lines;
  } finally {
    await server.stop();
  }
}

test("conversation: it shows each transcript and sentence, and saves the sound of all answers", async () => {
  const lines = await withServer(answering, (options) => converse(options, [{ wav }, { text: "hi" }]));
  expect(lines.map((line) => line.trim().replaceAll(/\d+ ms/g, "N ms"))).toEqual([
    expect.stringMatching(/^Connected to .* as a, session scripted-1\.$/),
    `spoke  ${wav}, 0.2 s`,
    "heard  a tone",
    "face  happy",
    "said  You whistled.",
    "first sound N ms after the end of speech, understood after N ms, 0.2 s of sound",
    "typed  hi",
    "heard  hi",
    "face  happy",
    "said  You typed hi.",
    "first sound N ms after the text, 0.2 s of sound",
    expect.stringMatching(/^Wrote 0\.4 s of sound to .*answer\.wav\.$/),
  ]);
  const { sampleRate, samples } = readWav(await readFile(join(directory, "answer.wav")));
  expect([sampleRate, samples.length]).toEqual([24_000, 6 * 1440]);
  expect(Math.max(...samples)).toBeGreaterThan(4000);
});

test("conversation: a spoken question is asked again after a greeting that turned the microphone off", async () => {
  const listens: string[] = [];
  let isSpoken = false;
  const script: ServerScript = {
    onMessage(session, name) {
      if (name !== "listen/start") return undefined;
      isSpoken = false;
      return listens.push(name) === 1 ? announce(session, "I am Jim.") : undefined;
    },
    onPacket(session, packet) {
      if (packet.byteLength > 1) isSpoken = true;
      if (packet.byteLength > 1 || !isSpoken || listens.length === 1) return undefined;
      isSpoken = false;
      return answerTurn(session, "a tone", "You whistled.");
    },
  };
  const lines = await withServer(script, (options) => converse(options, [{ wav }]));
  const words = lines.map((line) => line.trim()).filter((line) => /^(?:spoke|heard|said) /.test(line));
  const spoke = `spoke  ${wav}, 0.2 s`;
  expect(words).toEqual([spoke, "said  I am Jim.", spoke, "heard  a tone", "said  You whistled."]);
});

const atText = (act: (session: ScriptedSession) => unknown): ServerScript => ({
  onMessage: (session, name) => (name === "listen/detect" ? act(session) : undefined),
});

test.each([
  ["nothing", {}, "No answer came, and no transcript"],
  ["only a transcript", atText((session) => session.send({ type: "stt", text: "a" })), "but no answer"],
  ["no sound", atText((session) => session.send({ type: "tts", state: "start" })), "no sound came"],
  ["no sound at the end", atText((session) => answerTurn(session, "a", "b", 0)), "ended without a sound"],
])("conversation: a turn with %s is described in a sentence", async (_turn, script, sentence) => {
  const failed = withServer(script, (options) => converse({ ...options, timeoutMs: 200 }, [{ text: "a" }]));
  await expect(failed).rejects.toThrow(sentence);
});

const replaced = "the server closed the connection: 4001 replaced. A newer session of the same device took over.";

test("conversation: a close in mid-turn is described by its code, reason and meaning", async () => {
  const script = atText((session) => session.close(4001, "replaced"));
  await expect(withServer(script, (options) => converse(options, [{ text: "a" }]))).rejects.toThrow(replaced);
});

test("chat: it sends each line as text and an empty one as abort, and ends with its input", async () => {
  const input = new PassThrough();
  const names: string[] = [];
  const script: ServerScript = {
    onMessage(session, name, message) {
      names.push(name);
      if (name === "abort") input.end();
      return answering.onMessage?.(session, name, message);
    },
  };
  const shown: string[] = [];
  await withServer(script, (options) => {
    const print = (text: string) => {
      shown.push(text);
      if (text.includes("first sound")) input.write("\n");
    };
    input.write("good day\n");
    return chat({ ...options, print }, input);
  });
  expect(names).toEqual(["hello", "listen/detect", "abort"]);
  expect(shown.join("\n")).toContain("You typed good day.");
});

test("chat: a close between turns ends it with an error", async () => {
  const script: ServerScript = { onMessage: (session) => setImmediate(() => session.close(4001, "replaced")) };
  await expect(withServer(script, (options) => chat(options, new PassThrough()))).rejects.toThrow(replaced);
});
