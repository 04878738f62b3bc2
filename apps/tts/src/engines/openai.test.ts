import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { writeWav } from "@voxbus/audio";
import { expect, onTestFinished, test } from "vitest";
import { createOpenAiEngine, type OpenAiSpeechOptions } from "./openai.ts";
import { collectSound, testEngine } from "./engine.suite.ts";

interface SpeechBody {
  readonly model: string;
  readonly input: string;
  readonly voice: string;
  readonly response_format: string;
  readonly speed: number;
}
type Answer = (body: SpeechBody, request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

const never = new AbortController().signal;

/** A tone of 60 ms a letter: the sound that the server here makes of a text. */
const soundOf = ({ input, speed }: SpeechBody, rate: number) =>
  Int16Array.from({ length: Math.round((rate * 0.06 * input.length) / speed) }, (_, i) => 8000 * Math.sin(i / 9));

/** Speaks as OpenAI's server does: bytes in pieces of odd length, WAV with the lengths of a stream. */
const speak =
  (pieceBytes = 4801): Answer =>
  (body, _, response) => {
    const samples = soundOf(body, 24_000);
    const wav = writeWav({ sampleRate: 24_000, samples });
    new DataView(wav.buffer).setUint32(4, 0xffffffff, true);
    new DataView(wav.buffer).setUint32(40, 0xffffffff, true);
    response.setHeader("content-type", body.response_format === "pcm" ? "audio/pcm" : "audio/wav");
    const bytes = body.response_format === "pcm" ? wav.subarray(44) : wav;
    const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) =>
      bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes),
    );
    Readable.from(pieces).pipe(response);
  };

const serve = async (answer: Answer) => {
  const requests: SpeechBody[] = [];
  const headers: IncomingMessage["headers"][] = [];
  const server = createServer((request, response) => {
    void (async () => {
      let text = "";
      for await (const chunk of request) text += String(chunk);
      if (request.method !== "POST" || request.url !== "/v1/audio/speech") {
        response.writeHead(404).end();
        return;
      }
      const body = JSON.parse(text) as SpeechBody;
      requests.push(body);
      headers.push(request.headers);
      await answer(body, request, response);
    })();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests, headers, stop };
};

const create = async (answer: Answer, options?: Partial<OpenAiSpeechOptions>) => {
  const server = await serve(answer);
  const engine = createOpenAiEngine({ url: server.url, model: "tts-1", voice: "alloy", timeoutMs: 2000, ...options });
  onTestFinished(async () => {
    await engine.close();
    server.stop();
  });
  return { engine, ...server };
};

testEngine("openai, WAV", {
  create: async () => (await create(speak())).engine,
  speed: true,
  speaks: [{ text: "Hello there." }, { text: "今天天气很好" }],
  leaves: [],
});

testEngine("openai, PCM", {
  create: async () => (await create(speak(333), { sampleRate: 24_000 })).engine,
  speed: true,
  speaks: [{ text: "Hello there." }],
  leaves: [],
});

test("openai: asks as the API wants it, with the key, the profile's voice before its own", async () => {
  const { engine, requests, headers } = await create(speak(), { key: "secret", model: "kokoro" });
  await collectSound(engine.synthesize({ text: "Hello.", voice: "nova", speed: 1.2 }, never));
  expect(requests).toEqual([{ model: "kokoro", input: "Hello.", voice: "nova", response_format: "wav", speed: 1.2 }]);
  expect(headers[0]!.authorization).toBe("Bearer secret");
});

test("openai: the first sound is passed on while the server still speaks", async () => {
  let end = () => {};
  const { engine } = await create(async (body, _, response) => {
    response.write(writeWav({ sampleRate: 24_000, samples: soundOf(body, 24_000) }));
    await new Promise<void>((resolve) => (end = resolve));
    response.end();
  });
  const sounds = engine.synthesize({ text: "Hello." }, never)[Symbol.asyncIterator]();
  expect((await sounds.next()).done).toBe(false);
  end();
  expect((await sounds.next()).done).toBe(true);
});

test("openai: an abort closes the connection to the server", async () => {
  let serverSaw = () => {};
  const sawClose = new Promise<void>((resolve) => (serverSaw = resolve));
  const { engine } = await create((body, _, response) => {
    response.write(writeWav({ sampleRate: 24_000, samples: soundOf(body, 24_000) }));
    response.on("close", serverSaw);
  });
  const stop = new AbortController();
  const reason = new Error("enough");
  const sounds = engine.synthesize({ text: "Hello." }, stop.signal)[Symbol.asyncIterator]();
  await sounds.next();
  stop.abort(reason);
  await expect(sounds.next()).rejects.toBe(reason);
  await sawClose;
});

test.each<[string, Answer, string]>([
  [
    "an error status",
    (_, __, response) => void response.writeHead(429).end('{"error":{"message":"slow down"}}'),
    "refused",
  ],
  ["a server that falls silent", (_, __, response) => void response.writeHead(200).write("RI"), "time-out"],
  ["a server that never answers", () => undefined, "time-out"],
  ["a body that is no sound", (_, __, response) => void response.end("<html>"), "bad-audio"],
  ["a connection that breaks", (_, request) => void request.socket.destroy(), "unavailable"],
])("openai: %s is named, and asked only once", async (_, answer, code) => {
  const { engine, requests } = await create(answer, { timeoutMs: 150 });
  await expect(collectSound(engine.synthesize({ text: "Hello." }, never))).rejects.toMatchObject({
    name: "TtsError",
    code,
  });
  expect(requests.length).toBe(1);
});

test("openai: a server that is not there is named", async () => {
  const { stop, url } = await serve(speak());
  stop();
  const engine = createOpenAiEngine({ url, model: "tts-1", voice: "alloy", timeoutMs: 2000 });
  await expect(collectSound(engine.synthesize({ text: "Hello." }, never))).rejects.toMatchObject({
    code: "unavailable",
  });
});

test("openai: a reader that takes its time is no silence of the server", async () => {
  const { engine } = await create(speak(), { timeoutMs: 60 });
  let pieces = 0;
  for await (const _ of engine.synthesize({ text: "Hello there, friend." }, never)) {
    if (pieces++ === 0) await wait(120);
  }
  expect(pieces).toBeGreaterThan(1);
});
