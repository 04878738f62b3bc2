import { createOpusDecoder, readOpusPacket } from "@voxbus/audio";
import { silentLog } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import { createOpenAiEngine } from "./engines/openai.ts";
import { type PcmEngine, TtsError, type SpeechRequest, type TtsEngine } from "./engines/engine.ts";
import { createOutage, createSentenceSpeaker, type SentenceRequest, type SentenceSpeaker } from "./sentence-speaker.ts";

const never = new AbortController().signal;
let embedded: PcmEngine;
let speaker: SentenceSpeaker;
const failures: string[] = [];
/** The places that the embedded engine's texts had. */
const places: SpeechRequest["turn"][] = [];

beforeAll(async () => {
  embedded = await createEmbeddedEngine({ threads: 1 });
  // No server listens on port 9: it stands for a server that is down.
  const away = createOpenAiEngine({
    url: "http://127.0.0.1:9/v1",
    model: "tts-1",
    voice: "alloy",
    firstSoundMs: 1000,
    nextSoundMs: 1000,
  });
  const fallback: PcmEngine = {
    ...embedded,
    synthesize(request, signal) {
      places.push(request.turn);
      return embedded.synthesize(request, signal);
    },
  };
  const engines = [fallback, { ...away, speaks: ({ language }: SpeechRequest) => language === "zh" }];
  speaker = await createSentenceSpeaker({
    engines,
    fallback,
    threads: 1,
    log: silentLog,
    metrics: {
      engineFailed: (engine) => failures.push(engine),
      synthesized: () => undefined,
      cacheAsked: () => undefined,
    },
  });
});
afterAll(async () => {
  await speaker.close();
  await embedded.close();
});

const speak = async (request: SentenceRequest) => {
  const packets: Uint8Array[] = [];
  for await (const { body } of speaker.speak(request, never)) packets.push(body);
  return packets;
};

const repeats = async (request: SentenceRequest) => {
  const flags = new Set<boolean>();
  for await (const { repeatable } of speaker.speak(request, never)) flags.add(repeatable);
  return [...flags];
};

const decode = (packets: readonly Uint8Array[]) => {
  const decoder = createOpusDecoder({ sampleRate: 24_000 });
  const samples = packets.flatMap((packet) => Array.from(decoder.decode(packet)));
  decoder.close();
  return samples;
};
const loudness = (samples: readonly number[]) =>
  Math.sqrt(samples.reduce((sum, value) => sum + value ** 2, 0) / samples.length);

test("sentence speaker: a sentence becomes packets of 60 ms that sound as long as the voice speaks, the last one filled up", async () => {
  const text = "The weather in Paris today is sunny with light wind.";
  let seconds = 0;
  for await (const { samples, sampleRate } of embedded.synthesize({ text }, never))
    seconds = samples.length / sampleRate;
  const packets = await speak({ text });
  expect(packets.every((packet) => readOpusPacket(packet).durationMs === 60)).toBe(true);
  expect(packets.length).toBe(Math.ceil(seconds / 0.06));
  expect(loudness(decode(packets))).toBeGreaterThan(500);
});

test("sentence speaker: the same sentence makes the same packets, whatever was said before and beside it", async () => {
  const first = await speak({ text: "One, two, three." });
  const [again] = await Promise.all([speak({ text: "One, two, three." }), speak({ text: "Something else." })]);
  expect(again).toEqual(first);
});

test("sentence speaker: a text without end is spoken piece by piece", async () => {
  const sentence = "This sentence is said again and again, word by word. ";
  const one = await speak({ text: sentence });
  const many = await speak({ text: sentence.repeat(7) });
  expect(many.length / one.length).toBeGreaterThan(5);
  expect((await speak({ text: "a".repeat(320) })).length).toBeGreaterThan(0);
});

test("sentence speaker: text that no voice speaks gets a sentence that says so, never silence", async () => {
  const refusal = await speak({ text: "今天天气很好" });
  expect(refusal).toEqual(await speak({ text: "I cannot speak this language yet." }));
  expect(loudness(decode(refusal))).toBeGreaterThan(500);
});

test("sentence speaker: text that is mostly Latin is read as far as possible", async () => {
  expect(await speak({ text: "The word 你好 means hello." })).not.toEqual(await speak({ text: "今天天气很好" }));
  expect((await speak({ text: "Guten Morgen", language: "de" })).length).toBeGreaterThan(5);
});

test("sentence speaker: an engine that fails gives way, and where there is no other, an apology is spoken", async () => {
  failures.length = 0;
  const apology: Uint8Array[] = [];
  for await (const { body } of speaker.apologize("en", never)) apology.push(body);
  expect(await speak({ text: "今天天气很好", language: "zh" })).toEqual(apology);
  const spoken = await speak({ text: "Hello.", language: "en" });
  expect(spoken).not.toEqual(apology);
  expect(failures).toEqual(["openai"]);
});

test("sentence speaker: the apology for a sentence has its place", async () => {
  places.length = 0;
  const turn = { device: "d", priority: "normal", isLater: false } as const;
  await speak({ text: "今天天气很好", language: "zh", turn });
  expect(places).toMatchObject([turn]);
});

test("sentence speaker: one outage is one apology for the whole reply, and the engine is asked once", async () => {
  failures.length = 0;
  const outage = createOutage();
  const say = (text: string, language: string) => speak({ text, language, outage });
  expect((await say("今天天气很好", "zh")).length).toBeGreaterThan(0);
  expect(await say("明天也很好", "zh")).toEqual([]);
  expect((await say("Hello.", "en")).length).toBeGreaterThan(0);
  expect(await say("后天也很好", "zh")).toEqual([]);
  expect(failures).toEqual(["openai"]);
});

test("sentence speaker: a language that no voice speaks is said once for each reply", async () => {
  const outage = createOutage();
  expect((await speak({ text: "今天天气很好", outage })).length).toBeGreaterThan(0);
  expect(await speak({ text: "今天天气很好", outage })).toEqual([]);
});

test.each([
  ["zh-CN", "抱歉，出了点问题。"],
  ["de", "Entschuldigung, da ist etwas schiefgegangen."],
  ["en-US", "Sorry, something went wrong."],
  ["xx", "Sorry, something went wrong."],
])(
  "sentence speaker: an engine that breaks off in %s is apologized for in that language, if one speaks it",
  async (language, text) => {
    const asked: string[] = [];
    const breaking: TtsEngine = {
      ...embedded,
      name: "breaking",
      speaks: () => true,
      async *synthesize(request) {
        asked.push(request.text);
        yield { sampleRate: 24_000, samples: new Int16Array(24_000).fill(500) };
        if (request.text === "A question?") throw new TtsError("failed", "the server broke off");
      },
    };
    const heard: string[] = [];
    const fallback: TtsEngine = {
      ...embedded,
      synthesize(request, signal) {
        heard.push(request.text);
        return embedded.synthesize(request, signal);
      },
    };
    const deps = { engines: [breaking, fallback], fallback, threads: 1, log: silentLog };
    const metrics = { engineFailed: () => undefined, synthesized: () => undefined, cacheAsked: () => undefined };
    const one = await createSentenceSpeaker({ ...deps, metrics });
    for await (const _ of one.speak({ text: "A question?", language, outage: createOutage() }, never));
    await one.close();
    expect([...asked.slice(1), ...heard].at(-1)).toBe(text);
    expect([...asked.slice(1), ...heard]).toHaveLength(1);
  },
);

test("sentence speaker: only the engine that is always asked first makes packets that repeat", async () => {
  expect(await repeats({ text: "Hello." })).toEqual([true]);
  expect(await repeats({ text: "你好" })).toEqual([true]);
  expect(await repeats({ text: "Hello.", language: "zh", engine: "openai" })).toEqual([false]);
  expect(await repeats({ text: "你好", language: "zh" })).toEqual([false]);
});

test("sentence speaker: an abort ends it with its reason", async () => {
  const stop = new AbortController();
  const reason = new Error("enough");
  const packets = speaker.speak({ text: "One. Two. Three." }, stop.signal)[Symbol.asyncIterator]();
  await packets.next();
  stop.abort(reason);
  const rest = (async () => {
    while (!(await packets.next()).done);
  })();
  await expect(rest).rejects.toBe(reason);
});
