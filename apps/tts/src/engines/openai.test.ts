import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { createOpusEncoder, writeWav } from "@voxbus/audio";
import { describeCause } from "@voxbus/subscriber";
import { startModelServer, writeOggOpus, type ModelScript, type OggStream, type SpeechRequest } from "@voxbus/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Speech, TtsEngine } from "./engine.ts";
import { createOpenAiEngine, type OpenAiSpeechOptions } from "./openai.ts";
import { collectSound, testEngine } from "./engine.suite.ts";

const never = new AbortController().signal;

/** Makes the sound of a text: a tone of 60 ms per letter. */
function soundOf({ input, speed }: SpeechRequest, rate: number): Int16Array {
  return Int16Array.from(
    { length: Math.round((rate * 0.06 * input.length) / (speed ?? 1)) },
    (_, i) => 8000 * Math.sin(i / 9),
  );
}

/** Speaks as OpenAI's server does: bytes in pieces of odd length, a WAV with the lengths of a stream. */
function speak(pieceBytes = 4801): ModelScript["speak"] {
  return (request) => {
    const wav = writeWav({ sampleRate: 24_000, samples: soundOf(request, 24_000) });
    new DataView(wav.buffer).setUint32(4, 0xffffffff, true);
    new DataView(wav.buffer).setUint32(40, 0xffffffff, true);
    const bytes = request.response_format === "pcm" ? wav.subarray(44) : wav;
    return Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) =>
      bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes),
    );
  };
}

/** Speaks as servers do that have Ogg Opus: frames of `packetMs`, bytes in pieces of odd length. */
function speakOpus(packetMs: number, options?: Partial<OggStream>): ModelScript["speak"] {
  return (request) => {
    const encoder = createOpusEncoder({ sampleRate: 24_000, bitrate: 48_000 });
    const sound = soundOf(request, 24_000);
    const size = packetMs * 24;
    const packets = Array.from({ length: Math.ceil(sound.length / size) }, (_, n) => {
      const frame = new Int16Array(size);
      frame.set(sound.subarray(n * size, (n + 1) * size));
      return encoder.encode(frame);
    });
    encoder.close();
    const bytes = writeOggOpus({ packets, packetMs, ...options });
    return Array.from({ length: Math.ceil(bytes.length / 977) }, (_, i) => bytes.subarray(i * 977, (i + 1) * 977));
  };
}

async function create(speak: ModelScript["speak"], options?: Partial<OpenAiSpeechOptions>) {
  const server = await startModelServer({ speak });
  const engine = createOpenAiEngine({
    url: server.url,
    model: "tts-1",
    voice: "alloy",
    firstSoundMs: 10_000,
    nextSoundMs: 10_000,
    ...options,
  });
  onTestFinished(async () => {
    await engine.close();
    await server.close();
  });
  return { engine, server };
}

testEngine("openai (WAV)", {
  create: async () => (await create(speak())).engine,
  speed: true,
  speaks: [{ text: "Hello there." }, { text: "今天天气很好" }],
  leaves: [],
});

testEngine("openai (PCM)", {
  create: async () => (await create(speak(333), { sampleRate: 24_000 })).engine,
  speed: true,
  speaks: [{ text: "Hello there." }],
  leaves: [],
});

testEngine("openai (Opus of 20 ms)", {
  create: async () => (await create(speakOpus(20), { format: "opus" })).engine,
  speed: true,
  speaks: [{ text: "Hello there." }],
  leaves: [],
});

testEngine("openai (Opus that has to be decoded)", {
  create: async () => (await create(speakOpus(60, { gain: -256 }), { format: "opus" })).engine,
  speed: true,
  speaks: [{ text: "Hello there." }],
  leaves: [],
});

async function collect(engine: TtsEngine): Promise<Speech[]> {
  const pieces: Speech[] = [];
  for await (const piece of engine.synthesize({ text: "Hello there." }, never)) pieces.push(piece);
  return pieces;
}

test("openai: Opus is asked for by name, and passed on without encoding where it has whole packets", async () => {
  const { engine, server } = await create(speakOpus(20), { format: "opus" });
  const pieces = await collect(engine);
  expect(server.requests.speech).toMatchObject([{ response_format: "opus" }]);
  expect(pieces.flatMap((piece) => ("packets" in piece ? piece.packets : []))).toHaveLength(12);
  expect(pieces.some((piece) => "samples" in piece)).toBe(false);
});

test("openai: a server that answers WAV although Opus was asked for is heard", async () => {
  const { engine } = await create(speak(), { format: "opus" });
  expect(await collectSound(engine.synthesize({ text: "Hello there." }, never))).toMatchObject({
    sampleRate: 24_000,
    samples: { length: 12 * 1440 },
  });
});

test.each<[string, ModelScript["speak"], Partial<OpenAiSpeechOptions>]>([
  ["Opus in place of WAV", speakOpus(20), {}],
  ["Opus in place of raw samples", speakOpus(20), { sampleRate: 24_000 }],
  ["MP3 in place of Opus", () => Buffer.from("ID3 and so on"), { format: "opus" }],
])("openai: %s is an error that names the variable", async (_, answer, options) => {
  const { engine } = await create(answer, options);
  await expect(collect(engine)).rejects.toMatchObject({
    code: "bad-audio",
    message: expect.stringContaining("VOXBUS_TTS_FORMAT") as unknown,
  });
});

test.each<[string, ModelScript["speak"]]>([
  [
    "an Ogg stream that is cut",
    (request, context) => [...(speakOpus(20)(request, context) as Uint8Array[])].slice(0, 2),
  ],
  ["an Ogg stream without sound", () => writeOggOpus({ packets: [], packetMs: 20 })],
  ["a packet that is no Opus", () => writeOggOpus({ packets: [Uint8Array.of(3)], packetMs: 20 })],
])("openai: %s is a failure", async (_, answer) => {
  const { engine } = await create(answer, { format: "opus" });
  await expect(collect(engine)).rejects.toMatchObject({ name: "TtsError", code: "bad-audio" });
});

test("openai: asks as the API wants it, with the key, the profile's voice before its own", async () => {
  const keys: unknown[] = [];
  const { engine, server } = await create(
    (request, context) => {
      keys.push(context.headers.authorization);
      return speak()(request, context);
    },
    { key: "secret", model: "kokoro" },
  );
  await collectSound(engine.synthesize({ text: "Hello.", voice: "nova", speed: 1.2 }, never));
  expect(server.requests.speech).toEqual([
    { model: "kokoro", input: "Hello.", voice: "nova", response_format: "wav", speed: 1.2 },
  ]);
  expect(keys).toEqual(["Bearer secret"]);
  await collectSound(engine.synthesize({ text: "Hello.", voice: "nova", speed: 1 }, never));
  expect(server.requests.speech.at(-1)).not.toHaveProperty("speed");
});

test("openai: the first sound is passed on while the server still speaks", async () => {
  let end = () => {};
  const { engine } = await create(async function* (request) {
    yield writeWav({ sampleRate: 24_000, samples: soundOf(request, 24_000) });
    await new Promise<void>((resolve) => (end = resolve));
  });
  const sounds = engine.synthesize({ text: "Hello." }, never)[Symbol.asyncIterator]();
  expect((await sounds.next()).done).toBe(false);
  end();
  expect((await sounds.next()).done).toBe(true);
});

test("openai: an abort closes the connection to the server", async () => {
  const { engine, server } = await create(async function* (request) {
    yield writeWav({ sampleRate: 24_000, samples: soundOf(request, 24_000) });
    await forever();
  });
  const cancelled = server.whenCancelled();
  const stop = new AbortController();
  const reason = new Error("enough");
  const sounds = engine.synthesize({ text: "Hello." }, stop.signal)[Symbol.asyncIterator]();
  await sounds.next();
  stop.abort(reason);
  await expect(sounds.next()).rejects.toBe(reason);
  await cancelled;
});

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

async function* fallSilent(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("RI");
  await forever();
}

test.each<[string, ModelScript["speak"], string]>([
  ["an error status", () => 429, "refused"],
  ["a server that falls silent", () => fallSilent(), "time-out"],
  ["a server that never answers", () => forever(), "time-out"],
  ["a body that is not audio", () => Buffer.from("<html>"), "bad-audio"],
  ["an empty body", () => new Uint8Array(0), "bad-audio"],
  ["a WAV without samples", () => writeWav({ sampleRate: 24_000, samples: new Int16Array(0) }), "bad-audio"],
  ["an error in JSON with 200", () => ({ status: 200, body: { error: "no such voice" } }), "bad-audio"],
  ["an error in words with 200", () => ({ status: 200, body: "no such voice" }), "bad-audio"],
  ["a connection that breaks", () => ({ end: "drop" }), "unavailable"],
])("openai: %s gives a named error, and is asked only once", async (_, answer, code) => {
  const patience = code === "time-out" ? { firstSoundMs: 150, nextSoundMs: 150 } : {};
  const { engine, server } = await create(answer, patience);
  await expect(collectSound(engine.synthesize({ text: "Hello." }, never))).rejects.toMatchObject({
    name: "TtsError",
    code,
  });
  expect(server.requests.speech.length).toBe(1);
});

test.each<[string, ModelScript["speak"]]>([
  ["an empty body", () => new Uint8Array(0)],
  ["an error in JSON", () => ({ status: 200, body: { error: "no such voice" } })],
  ["an error in words", () => ({ status: 200, body: "no such voice" })],
])("openai: %s in place of raw samples is a failure, too", async (_, answer) => {
  const { engine } = await create(answer, { sampleRate: 24_000 });
  await expect(collectSound(engine.synthesize({ text: "Hello." }, never))).rejects.toMatchObject({ code: "bad-audio" });
});

test("openai: raw samples whose type names their rate need no setting", async () => {
  const { engine } = await create((request) => ({
    type: "audio/L16; rate=16000; channels=1",
    sound: new Uint8Array(soundOf(request, 16_000).buffer),
  }));
  const sounds = engine.synthesize({ text: "Hello." }, never)[Symbol.asyncIterator]();
  expect((await sounds.next()).value).toMatchObject({ sampleRate: 16_000 });
});

test("openai: a server whose error quotes the text: the engine's error does not", async () => {
  const { engine } = await create(({ input }) => ({ status: 400, body: { error: { message: input, code: input } } }));
  const spoken = collectSound(engine.synthesize({ text: "Your rash is back." }, never));
  const error = await spoken.catch((error: unknown) => error);
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain("rash");
  expect(describeCause(error)).toEqual({ name: "BadRequestError", status: 400, code: "refused" });
});

test("openai: an unreachable server gives a named error", async () => {
  const { url, close } = await startModelServer();
  await close();
  const engine = createOpenAiEngine({ url, model: "tts-1", voice: "alloy", firstSoundMs: 2000, nextSoundMs: 2000 });
  await expect(collectSound(engine.synthesize({ text: "Hello." }, never))).rejects.toMatchObject({
    code: "unavailable",
  });
});

test("openai: a slow reader does not count as silence of the server", async () => {
  const { engine } = await create(speak());
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  let pieces = 0;
  for await (const _ of engine.synthesize({ text: "Hello there, friend." }, never)) {
    if (pieces++ === 0) vi.advanceTimersByTime(20_000);
  }
  expect(pieces).toBeGreaterThan(1);
});

test("openai: the first sound may take as long as its limit, a pause only as long as the other one", async () => {
  const wav = writeWav({ sampleRate: 24_000, samples: new Int16Array(2400) });
  const { engine } = await create(
    async function* () {
      await sleep(400);
      yield wav.subarray(0, 1000);
      await sleep(20_000);
    },
    { firstSoundMs: 5000, nextSoundMs: 150 },
  );
  const sounds = engine.synthesize({ text: "Hello." }, never)[Symbol.asyncIterator]();
  expect((await sounds.next()).done).toBe(false);
  await expect(sounds.next()).rejects.toMatchObject({
    code: "time-out",
    message: expect.stringContaining("150 ms") as unknown,
  });
});
