import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import { readWav } from "@voxbus/audio";
import { createPool, readRate } from "@voxbus/pools";
import { describeCause } from "@voxbus/subscriber";
import {
  loadSpeech,
  silence,
  startModelServer,
  type ModelServer,
  type RequestContext,
  type TranscriptionRequest,
} from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createOpenAiEngine } from "./openai.ts";
import { testEngine } from "./engine.suite.ts";
import { joinSamples } from "../join-samples.ts";

const speech: Readonly<Record<string, string>> = { time: "what time is it", joke: "tell me a joke" };

/** Answers a transcription. Without a model, it knows recordings by their length. */
function transcribe({ wav, model, language }: TranscriptionRequest, { headers }: RequestContext): string | number {
  if (headers.authorization !== "Bearer secret") return 401;
  const { sampleRate, samples } = readWav(wav);
  if (model !== "small" || language !== "en" || sampleRate !== 16_000) return 400;
  const known = Object.keys(speech).find((name) => {
    const length = Math.ceil(joinSamples(silence(300), loadSpeech(name)).length / 960) * 960;
    return samples.length === length && samples.some((sample) => Math.abs(sample) > 1000);
  });
  return known === undefined ? "" : ` ${speech[known]}\n`;
}

let server: ModelServer;

beforeAll(async () => {
  server = await startModelServer({ transcribe });
});
afterAll(() => server.close());
afterEach(() => {
  server.script.transcribe = transcribe;
});

const create = (timeoutMs = 5000) =>
  createOpenAiEngine({ url: server.url, model: "small", key: "secret", pool: createTestPool(timeoutMs) });
const createTestPool = (timeoutMs: number) => createPool({ name: "recognition", slots: 2, timeoutMs });
const never = new AbortController().signal;

testEngine("openai", {
  create: async () => create(),
  speech,
  foreignReason: "nothing-heard",
  foreign: ["other"],
  slots: 2,
  partials: false,
});

test("openai engine: a server whose error quotes the speech: the engine's error does not", async () => {
  const said = "my rash is back";
  server.script.transcribe = () => ({ status: 422, body: { error: { message: said, code: said } } });
  const failure = create().open({ language: "en" }, never).finish();
  const error = await failure.catch((error: unknown) => error);
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain("rash");
  expect(describeCause(error)).toEqual({ name: "UnprocessableEntityError", status: 422 });
});

test.each<[string, object | string, string]>([
  ["tags around the words", { text: "<|en|><|HAPPY|> tell me a joke <|endoftext|>" }, "tell me a joke"],
  ["only a tag", { text: "<|en|>" }, ""],
  ["only a sound", { text: " [BLANK_AUDIO]" }, ""],
  ["only a full stop", { text: "." }, ""],
  ["no text", { text: null }, ""],
  ["plain text", " tell me a joke\n", "tell me a joke"],
  ["other fields", { task: "transcribe", language: "english", duration: 1.2, text: "stop", segments: [] }, "stop"],
  ["JSON that calls itself text", '{"text":"tell me a joke"}', "tell me a joke"],
  ["text that begins like JSON", "{ is a brace", "{ is a brace"],
  ["a result of its own", { code: 0, result: [{ key: "a", text: "tell me a joke" }] }, "tell me a joke"],
  ["a list", [{ text: "tell me a joke" }], "tell me a joke"],
  ["only sections", { segments: [{ text: " tell me" }, { text: " a joke" }] }, "tell me a joke"],
])("openai engine: an answer with %s", async (_, body, text) => {
  server.script.transcribe = () => ({ status: 200, body });
  const engine = create();
  const transcript = await engine.open({ language: "en" }, never).finish();
  expect(transcript).toEqual({ text, language: "en", ...(text === "" && { reason: "nothing-heard" }) });
  await engine.close();
});

test.each<[string, object | string]>([
  ["an error", { error: { message: "out of memory" } }],
  ["an error as text", '{"error":"out of memory"}'],
  ["a web page", "<!DOCTYPE html><html><body>Please sign in</body></html>"],
])("openai engine: an answer of 200 with %s is a failure", async (_, body) => {
  server.script.transcribe = () => ({ status: 200, body });
  const engine = create();
  await expect(engine.open({ language: "en" }, never).finish()).rejects.toThrow("transcription endpoint failed");
  await engine.close();
});

test("openai engine: at most as many requests as slots run at the same time", async () => {
  let atOnce = 0;
  let mostAtOnce = 0;
  server.script.transcribe = async (request, context) => {
    mostAtOnce = Math.max(mostAtOnce, (atOnce += 1));
    context.gone.addEventListener("abort", () => (atOnce -= 1));
    await setTimeout(20);
    return transcribe(request, context);
  };
  const engine = create();
  await Promise.all(Array.from({ length: 7 }, () => engine.open({ language: "en-US" }, never).finish()));
  expect(mostAtOnce).toBe(2);
  await engine.close();
});

test("openai engine: a refusal is an error that names it, and is not tried again", async () => {
  server.script.transcribe = () => 503;
  const before = server.requests.transcription.length;
  const engine = create();
  await expect(engine.open({ language: "en" }, never).finish()).rejects.toMatchObject({ cause: { status: 503 } });
  expect(server.requests.transcription.length - before).toBe(1);
  await engine.close();
});

test("openai engine: a request to an endpoint that does not answer fails in time", async () => {
  server.script.transcribe = () => new Promise(() => undefined);
  const engine = create(100);
  await expect(engine.open({ language: "en" }, never).finish()).rejects.toThrow("100 ms");
  await engine.close();
});

test("openai engine: an abort closes the request", async () => {
  const arrived = new Promise<void>((resolve) => {
    server.script.transcribe = () => {
      resolve();
      return new Promise(() => undefined);
    };
  });
  const cancelled = server.whenCancelled();
  const engine = create();
  const abort = new AbortController();
  const finished = engine.open({ language: "en" }, abort.signal).finish();
  await arrived;
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(finished).rejects.toBe(reason);
  await cancelled;
  await engine.close();
});

test("openai engine: calls above the limit of a minute fail if they would wait too long, and are not made", async () => {
  const pool = createPool({
    name: "recognition",
    slots: 2,
    timeoutMs: 5000,
    patienceMs: 5000,
    rate: readRate(undefined, "used up here"),
  });
  const engine = createOpenAiEngine({ url: server.url, model: "small", key: "secret", pool });
  const before = server.requests.transcription.length;
  const finish = () => engine.open({ language: "en" }, never).finish();
  for (let call = 0; call < 100; call += 1) await finish();
  await expect(finish()).rejects.toMatchObject({ name: "PoolFullError", code: "late" });
  expect(server.requests.transcription.length - before).toBe(100);
  expect(pool.stats().work[0]).toMatchObject({ done: 100, shed: 1 });
  await engine.close();
});

test("openai engine: an unreachable endpoint is an error", async () => {
  const engine = createOpenAiEngine({ url: "http://127.0.0.1:1/v1", model: "small", pool: createTestPool(5000) });
  await expect(engine.open({ language: "en" }, never).finish()).rejects.toThrow("transcription endpoint failed");
});
