import { setImmediate as nextTurn } from "node:timers/promises";
import { readClock } from "@voxbus/workers";
import { beforeAll, afterAll, expect, test } from "vitest";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import { type SpeechRequest, TtsError, type TtsEngine } from "./engines/engine.ts";
import { createPacketCache, type CacheResult } from "./packet-cache.ts";
import { createSpeechEncoder, type SpeechEncoder } from "./speech-encoder.ts";

const never = new AbortController().signal;
let embedded: TtsEngine;
let encoder: SpeechEncoder;

beforeAll(async () => {
  embedded = await createEmbeddedEngine({ threads: 1 });
  encoder = await createSpeechEncoder({ threads: 1, onSynthesized: () => undefined });
});
afterAll(async () => {
  await encoder.close();
  await embedded.close();
});

/** Creates a cache, and an engine that says what it was asked for, and waits for `hold` after its first sound. */
function createCache(options: { readonly maxBytes?: number; readonly hold?: Promise<unknown> } = {}) {
  const asked: SpeechRequest[] = [];
  const results: CacheResult[] = [];
  const aborted: unknown[] = [];
  const cache = createPacketCache(encoder, {
    maxBytes: options.maxBytes ?? 1_000_000,
    onLookup: (result) => results.push(result),
  });
  const engine: TtsEngine = {
    ...embedded,
    async *synthesize(request, signal) {
      asked.push(request);
      signal.addEventListener("abort", () => aborted.push(signal.reason));
      yield* embedded.synthesize(request, signal);
      await options.hold;
    },
  };
  async function speak(request: SpeechRequest | string, from = engine, signal = never) {
    const packets: Uint8Array[] = [];
    const full = typeof request === "string" ? { text: request } : request;
    for await (const { body } of cache.speak(from, full, signal)) packets.push(Uint8Array.from(body));
    return packets;
  }
  return { cache, engine, asked, results, aborted, speak };
}

test("packet cache: a sentence that was spoken costs nothing the next time, and sounds the same", async () => {
  const { asked, results, speak } = createCache();
  const first = await speak("One moment, please.");
  expect(first.length).toBeGreaterThan(5);
  expect(await speak("One moment, please.")).toEqual(first);
  expect(await speak({ text: "One moment, please.", speed: 1 })).toEqual(first);
  expect(asked).toHaveLength(1);
  expect(results).toEqual(["miss", "hit", "hit"]);
});

test("packet cache: another text, voice, speed, language or engine is another sentence", async () => {
  const { asked, engine, speak } = createCache();
  const text = "Hello.";
  const requests = [{ text: "Hello!" }, { text, voice: "rms" }, { text, speed: 1.5 }, { text, language: "en-GB" }];
  for (const request of [{ text }, ...requests]) await speak(request);
  await speak({ text }, { ...engine, name: "other" });
  expect(asked).toHaveLength(6);
});

test("packet cache: nothing is kept of an engine that does not repeat itself, nor of a text that is very long", async () => {
  const { asked, engine, results, speak } = createCache();
  const changing = { ...engine, repeatable: false };
  for (let n = 0; n < 2; n += 1) await speak("Hello.", changing);
  for (let n = 0; n < 2; n += 1) await speak(`${" ".repeat(2048)}Hello.`);
  expect(asked.filter(({ text }) => text.includes("Hello"))).toHaveLength(4);
  expect(results).toEqual([]);
});

test("packet cache: a sentence that an engine failed in is asked for again", async () => {
  const { engine, results, speak } = createCache();
  let failing = true;
  const fragile: TtsEngine = {
    ...engine,
    async *synthesize(request, signal) {
      yield* engine.synthesize(request, signal);
      if (failing) throw new TtsError("failed", "the engine broke off");
    },
  };
  await expect(speak("Good night.", fragile)).rejects.toThrow("the engine broke off");
  failing = false;
  const whole = await speak("Good night.", fragile);
  expect(await speak("Good night.", fragile)).toEqual(whole);
  expect(results).toEqual(["miss", "miss", "hit"]);
});

test("packet cache: a sentence whose reader left is not kept, and its engine stops", async () => {
  const { cache, aborted, engine, results, speak } = createCache({ hold: new Promise(() => undefined) });
  for await (const _ of cache.speak(engine, { text: "Good night." }, never)) break;
  await expect.poll(() => aborted).toHaveLength(1);
  const stop = new AbortController();
  const second = speak("Good night.", engine, stop.signal);
  await nextTurn();
  const reason = new Error("enough");
  stop.abort(reason);
  await expect(second).rejects.toBe(reason);
  await expect.poll(() => aborted).toHaveLength(2);
  expect(results).toEqual(["miss", "miss"]);
});

test("packet cache: replies that say the same at the same time share one synthesis, also if one of them ends", async () => {
  let release = () => {};
  const { asked, aborted, engine, results, speak } = createCache({
    hold: new Promise<void>((resolve) => (release = resolve)),
  });
  const stop = new AbortController();
  const reason = new Error("enough");
  const [leaving, ...staying] = [stop.signal, never, never].map((signal) => speak("The time is noon.", engine, signal));
  await nextTurn();
  stop.abort(reason);
  await expect(leaving).rejects.toBe(reason);
  release();
  const [one, other] = await Promise.all(staying);
  expect(one!.length).toBeGreaterThan(5);
  expect(other).toEqual(one);
  expect(await speak("The time is noon.")).toEqual(one);
  expect(asked).toHaveLength(1);
  expect(aborted.length).toBeLessThanOrEqual(1);
  expect(results).toEqual(["miss", "shared", "shared", "hit"]);
});

test("packet cache: a reply that is more urgent does not wait for the synthesis of another one", async () => {
  const forever = new Promise(() => undefined);
  const { cache, engine, asked, results } = createCache({ hold: forever });
  const stop = new AbortController();
  const at = (due: number) => () => ({ due, heardMs: 0 });
  const turn = { device: "d", priority: "normal", isLater: false } as const;
  const text = "The time is noon.";
  const soon = readClock();
  const requests = [
    { text, turn, deadline: at(soon + 8000) },
    { text, turn, deadline: at(soon + 9000) },
    { text, turn, deadline: at(soon) },
    { text, turn: { ...turn, priority: "high" }, deadline: at(soon) },
    { text, turn, deadline: at(soon) },
  ] as const;
  const readers = requests.map((request) => cache.speak(engine, request, stop.signal)[Symbol.asyncIterator]());
  for (const reader of readers) await reader.next();
  expect(results).toEqual(["miss", "shared", "miss", "miss", "shared"]);
  expect(asked).toHaveLength(3);
  const reason = new Error("enough");
  stop.abort(reason);
  for (const reader of readers) await reader.return?.();
});

test("packet cache: everyone who shares a synthesis hears of its failure", async () => {
  const { engine, speak } = createCache();
  const failing: TtsEngine = {
    ...engine,
    // oxlint-disable-next-line require-yield
    async *synthesize() {
      await nextTurn();
      throw new TtsError("refused", "no");
    },
  };
  const [one, other] = await Promise.allSettled([speak("Hello.", failing), speak("Hello.", failing)]);
  expect([one, other]).toMatchObject([{ reason: { code: "refused" } }, { reason: { code: "refused" } }]);
});

test("packet cache: its bytes are bounded, and the sentence that was used longest ago goes first", async () => {
  const { results, speak } = createCache({ maxBytes: 12_000 });
  const size = (packets: readonly Uint8Array[]) => packets.reduce((sum, { length }) => sum + length, 0);
  expect(size(await speak("This one is long, longer than the others."))).toBeLessThan(12_000);
  const texts = Array.from({ length: 6 }, (_, n) => `This is sentence number ${n}.`);
  for (const text of texts) await speak(text);
  results.length = 0;
  await speak(texts[5]!);
  await speak(texts[0]!);
  expect(results).toEqual(["hit", "miss"]);
});

test("packet cache: a sentence larger than the cache is spoken and not kept", async () => {
  const { results, speak } = createCache({ maxBytes: 500 });
  await speak("The weather is fine.");
  await speak("The weather is fine.");
  expect(results).toEqual(["miss", "miss"]);
});
