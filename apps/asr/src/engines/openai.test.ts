import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { readWav } from "@voxbus/audio";
import { loadSpeech, silence } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createOpenAiEngine } from "./openai.ts";
import { testEngine } from "./engine.suite.ts";
import { joinSamples } from "../join-samples.ts";

const speech: Readonly<Record<string, string>> = { time: "what time is it", joke: "tell me a joke" };

/** Speaks the protocol of `/v1/audio/transcriptions`: knows recordings by their length, as it has no model. */
async function answer(request: IncomingMessage): Promise<{ status: number; body: object }> {
  if (request.method !== "POST" || request.url !== "/v1/audio/transcriptions") return { status: 404, body: {} };
  if (request.headers.authorization !== "Bearer secret") return { status: 401, body: { error: { message: "who?" } } };
  const form = await new Response(request as never, {
    headers: { "content-type": request.headers["content-type"] ?? "" },
  }).formData();
  const file = form.get("file");
  if (!(file instanceof File) || form.get("model") !== "small" || form.get("language") !== "en")
    return { status: 400, body: { error: { message: "bad form" } } };
  const { sampleRate, samples } = readWav(new Uint8Array(await file.arrayBuffer()));
  if (sampleRate !== 16_000) return { status: 400, body: { error: { message: "bad rate" } } };
  const known = Object.keys(speech).find((name) => {
    const length = Math.ceil(joinSamples(silence(300), loadSpeech(name)).length / 960) * 960;
    return samples.length === length && samples.some((sample) => Math.abs(sample) > 1000);
  });
  return { status: 200, body: { text: known === undefined ? "" : ` ${speech[known]}\n` } };
}

let server: Server;
let url: string;
let requests = 0;
let atOnce = 0;
let mostAtOnce = 0;
/** Set by a test: how the next requests are treated instead. */
let misbehave: "hang" | "fail" | "slow" | undefined;
let hungUp: () => void = () => undefined;

beforeAll(async () => {
  server = createServer((request, response) => {
    requests += 1;
    atOnce += 1;
    mostAtOnce = Math.max(mostAtOnce, atOnce);
    response.on("close", () => {
      atOnce -= 1;
      hungUp();
    });
    if (misbehave === "hang") return;
    if (misbehave === "fail") {
      response.writeHead(503).end("{}");
      return;
    }
    const respond = async () => {
      const { status, body } = await answer(request);
      if (misbehave === "slow") await setTimeout(20);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    void respond();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
afterEach(() => {
  misbehave = undefined;
});

const create = (timeoutMs = 5000) => createOpenAiEngine({ url, model: "small", key: "secret", slots: 2, timeoutMs });
const never = new AbortController().signal;

testEngine("openai", { create: async () => create(), speech, foreign: ["other"], partials: false });

test("openai engine: no more requests at once than slots", async () => {
  mostAtOnce = 0;
  misbehave = "slow";
  const engine = create();
  await Promise.all(Array.from({ length: 7 }, () => engine.open({ language: "en-US" }, never).finish()));
  expect(mostAtOnce).toBe(2);
  await engine.close();
});

test("openai engine: a refusal is an error that names it, and is not tried again", async () => {
  misbehave = "fail";
  const before = requests;
  const engine = create();
  await expect(engine.open({ language: "en" }, never).finish()).rejects.toMatchObject({ cause: { status: 503 } });
  expect(requests - before).toBe(1);
  await engine.close();
});

test("openai engine: an endpoint that does not answer is given up in time", async () => {
  misbehave = "hang";
  const engine = create(100);
  await expect(engine.open({ language: "en" }, never).finish()).rejects.toThrow("100 ms");
  await engine.close();
});

test("openai engine: an abort closes the request", async () => {
  misbehave = "hang";
  const closed = new Promise<void>((resolve) => (hungUp = resolve));
  const arrived = new Promise<void>((resolve) => server.once("request", () => resolve()));
  const engine = create();
  const abort = new AbortController();
  const finished = engine.open({ language: "en" }, abort.signal).finish();
  await arrived;
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(finished).rejects.toBe(reason);
  await closed;
  await engine.close();
});

test("openai engine: an endpoint that is not there is an error", async () => {
  const engine = createOpenAiEngine({ url: "http://127.0.0.1:1/v1", model: "small", slots: 1, timeoutMs: 5000 });
  await expect(engine.open({ language: "en" }, never).finish()).rejects.toThrow("transcription endpoint failed");
});
