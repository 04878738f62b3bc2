import { metrics } from "@opentelemetry/api";
import { writeWav } from "@voxbus/audio";
import { createTone, silentLog, startModelServer, type ModelScript } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import type { TtsEngine } from "./engines/engine.ts";
import { createOpenAiEngine } from "./engines/openai.ts";
import { watchEngines } from "./engines/watch.ts";
import { createSentenceSpeaker, type SentenceRequest } from "./sentence-speaker.ts";

const never = new AbortController().signal;
const sound = writeWav({ sampleRate: 24_000, samples: createTone(24_000, 300) });

/** Stands for the built-in voice. */
const fallback: TtsEngine = {
  name: "embedded",
  repeatable: true,
  longestText: 1000,
  speaks: () => true,
  async *synthesize() {
    yield { sampleRate: 24_000, samples: Int16Array.from(createTone(24_000, 300)) };
  },
  close: async () => undefined,
};

/** The voices `local` and `cloud` before the built-in one, and who speaks a sentence. */
async function createTested(
  local: ModelScript["speak"],
  { coolMs = 60_000, firstSoundMs = 30_000, cloud = (() => sound) as ModelScript["speak"] } = {},
) {
  const servers = await Promise.all([local, cloud].map((speak) => startModelServer({ speak })));
  for (const server of servers) onTestFinished(() => server.close());
  const [first, second] = servers as [(typeof servers)[0], (typeof servers)[0]];
  const voices = [first, second].map(({ url }, at) =>
    createOpenAiEngine({
      name: ["local", "cloud"][at],
      url,
      model: "m",
      voice: "v",
      firstSoundMs: at === 0 ? firstSoundMs : 30_000,
      nextSoundMs: 30_000,
    }),
  );
  const options = { log: silentLog, meter: metrics.getMeter("test"), coolDown: { firstMs: coolMs, mostMs: coolMs } };
  const [one, two] = voices as [(typeof voices)[0], (typeof voices)[0]];
  const preferred = watchEngines({ engines: [one, fallback], others: [two], fallback }, options);
  onTestFinished(() => preferred.set.close());
  const quiet = { engineFailed: () => undefined, synthesized: () => undefined, cacheAsked: () => undefined };
  const speaker = await createSentenceSpeaker({
    ...preferred,
    order: preferred.set.order,
    log: silentLog,
    metrics: quiet,
    threads: 1,
  });
  onTestFinished(() => speaker.close());
  const speak = async (request: Partial<SentenceRequest> = {}) => {
    const by = new Set<string>();
    let repeats = true;
    for await (const packet of speaker.speak({ text: "Hello there.", ...request }, never)) {
      by.add(packet.engine);
      repeats &&= packet.repeatable;
    }
    return { by: [...by], repeats };
  };
  return { speak, first, second, set: preferred.set };
}

test.each([
  ["a bad key", () => 401],
  ["a used-up quota", () => ({ status: 402, body: { error: { code: "insufficient_balance" } } })],
  ["a server that is down", () => 503],
  ["a dropped connection", () => ({ end: "drop" as const })],
  ["sound that does not come", () => ({ end: "hang" as const })],
  [
    "sound that is a web page",
    () => ({ type: "text/html", sound: Buffer.from("<!doctype html><title>Sign in</title>") }),
  ],
])("failover: after %s the next voice speaks, and later sentences ask it first", async (name, local) => {
  const firstSoundMs = name.includes("does not come") ? 300 : 30_000;
  const { speak, first, set } = await createTested(local, { firstSoundMs });
  expect((await speak()).by).toEqual(["embedded"]);
  expect(set.unusable()).toBe(1);
  // The first voice may speak the sentence in another process.
  expect(await speak()).toEqual({ by: ["embedded"], repeats: false });
  expect(first.requests.speech.length).toBeLessThan(2);
});

test("failover: a profile's list of voices comes first, in its order", async () => {
  const { speak, first } = await createTested(() => 503);
  expect((await speak({ engine: ["cloud", "local"] })).by).toEqual(["cloud"]);
  expect(first.requests.speech.length).toBe(0);
  expect((await speak({ engine: ["local", "unknown", "cloud"] })).by).toEqual(["cloud"]);
  expect(first.requests.speech.length).toBe(1);
});

test("failover: a voice that only profiles name stands in for no other", async () => {
  const { speak, second } = await createTested(() => 503);
  await speak();
  expect(second.requests.speech.length).toBe(0);
});

test("failover: if all services are down, the built-in voice speaks", async () => {
  const { speak, set } = await createTested(() => 503, { cloud: () => 401 });
  expect((await speak({ engine: ["local", "cloud"] })).by).toEqual(["embedded"]);
  expect(set.unusable()).toBe(2);
});

test("failover: a refused request is spoken by the next voice, and the one that refused it is asked again", async () => {
  const { speak, first, set } = await createTested(() => 400);
  expect([(await speak()).by, (await speak()).by]).toEqual([["embedded"], ["embedded"]]);
  expect([first.requests.speech.length, set.unusable()]).toEqual([2, 0]);
});

test("failover: a probe in the background finds a voice that works again", async () => {
  let isDown = true;
  const { speak, set } = await createTested(() => (isDown ? 503 : sound), { coolMs: 20 });
  expect((await speak()).by).toEqual(["embedded"]);
  isDown = false;
  await expect.poll(() => set.unusable()).toBe(0);
  expect((await speak()).by).toEqual(["local"]);
});
