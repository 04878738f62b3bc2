import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { readClock } from "@voxbus/workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TtsEngine } from "./engines/engine.ts";
import { createSpeechEncoder, packetMs, type SpeechEncoder } from "./speech-encoder.ts";

const never = new AbortController().signal;
const patience = { timeout: 20_000 };
const warnings: unknown[] = [];
let encoder: SpeechEncoder;
vi.setConfig({ testTimeout: 60_000 });

const start = (threads: number) =>
  createSpeechEncoder({
    threads,
    onSynthesized: () => undefined,
    log: { warn: (...all: unknown[]) => warnings.push(all) },
  });

beforeEach(async () => {
  warnings.length = 0;
  encoder = await start(1);
});
afterEach(() => encoder.close());

const sampleRate = 24_000;
const pieceMs = 100;
const piece = Int16Array.from({ length: (sampleRate * pieceMs) / 1000 }, (_, i) => 9000 * Math.sin(i / 9));

/** Speaks a tone. The text is its length, in s. `read` is the sound that was taken from the engine. */
function createToneEngine(repeatable = false): TtsEngine & { readMs: number } {
  const engine = {
    name: "tone",
    repeatable,
    longestText: 4000,
    readMs: 0,
    speaks: () => true,
    async *synthesize({ text }: { readonly text: string }) {
      for (let ms = 0; ms < Number(text) * 1000; ms += pieceMs) {
        engine.readMs += pieceMs;
        yield { sampleRate, samples: piece };
      }
    },
    close: () => Promise.resolve(),
  };
  return engine;
}

const tone = createToneEngine();
const atOnce = { due: -Infinity, heardMs: Infinity };

/** Reads a sentence to its end and counts its packets. */
function listen(text: string, options: { readonly signal?: AbortSignal; readonly unpaced?: boolean } = {}) {
  const { signal = never, unpaced = false } = options;
  const listener = { packets: 0, done: Promise.resolve() };
  const deadline = unpaced ? () => atOnce : undefined;
  listener.done = (async () => {
    for await (const _ of encoder.speak(tone, { text, deadline }, signal)) listener.packets += 1;
  })();
  listener.done.catch(() => undefined);
  return listener;
}

test("speech encoder: a short sentence beside 30 long ones sounds before their second second", async () => {
  const stop = new AbortController();
  const long = Array.from({ length: 30 }, () => listen("60", { signal: stop.signal }));
  for await (const _ of encoder.speak(tone, { text: "1" }, never)) break;
  expect(Math.max(...long.map(({ packets }) => packets))).toBeLessThan(1000 / packetMs);
  await expect.poll(() => Math.min(...long.map(({ packets }) => packets)), patience).toBeGreaterThan(0);
  // The same while the others are well under way.
  const before = long.map(({ packets }) => packets);
  for await (const _ of encoder.speak(tone, { text: "1" }, never)) break;
  const meanwhile = long.map(({ packets }, at) => packets - before[at]!);
  expect(Math.max(...meanwhile)).toBeLessThan(1000 / packetMs);
  stop.abort();
});

test("speech encoder: a later sentence is due when the sound before it ends, and gives way to a first packet", async () => {
  const order: string[] = [];
  const read = async (name: string, dueMs: number) => {
    const deadline = () => ({ due: readClock() + dueMs, heardMs: 0 });
    for await (const _ of encoder.speak(tone, { text: "0.06", deadline }, never)) order.push(name);
  };
  await Promise.all([read("in 1.5 s", 1500), read("in 1 s", 1000), read("at once", 0)]);
  expect([...new Set(order)]).toEqual(["at once", "in 1 s", "in 1.5 s"]);
});

test("speech encoder: sound is encoded at most 10 s before it is due, and sound that was heard already without a pause", async () => {
  const from = performance.now();
  const paced = listen("40");
  const heard = listen("40", { unpaced: true });
  await heard.done;
  expect(heard.packets * packetMs).toBe(40_020);
  expect(paced.packets * packetMs).toBeLessThan(11_000 + performance.now() - from);
});

test("speech encoder: an abort stops a sentence in the middle, while the thread has others to encode", async () => {
  const stop = new AbortController();
  const others = Array.from({ length: 8 }, () => listen("600", { unpaced: true }));
  const aborted = listen("600", { unpaced: true, signal: stop.signal });
  await expect.poll(() => aborted.packets, patience).toBeGreaterThan(20);
  stop.abort();
  await expect.poll(() => encoder.load().sentences, patience).toBe(8);
  expect(aborted.packets).toBeLessThan(600_000 / packetMs / 2);
  expect(Math.max(...others.map(({ packets }) => packets))).toBeLessThan(600_000 / packetMs / 2);
  expect(warnings).toEqual([]);
});

test("speech encoder: a long sentence waits in its engine, 2 s ahead of the packets that are read", async () => {
  const endless = createToneEngine();
  let packets = 0;
  for await (const _ of encoder.speak(endless, { text: "100000", deadline: () => atOnce }, never)) {
    packets += 1;
    expect(endless.readMs - packets * packetMs).toBeLessThan(2700);
    if (packets === 500) break;
  }
});

test("speech encoder: the time in which the sound waits for room is not the engine's", async () => {
  const times: number[] = [];
  await encoder.close();
  encoder = await createSpeechEncoder({ threads: 1, onSynthesized: (_, ms) => times.push(ms) });
  const from = performance.now();
  for await (const _ of encoder.speak(tone, { text: "12" }, never));
  const tookMs = performance.now() - from;
  expect(tookMs).toBeGreaterThan(1900);
  expect(times[0]).toBeLessThan(tookMs / 4);
});

test("speech encoder: threads start when packets are late, not when there are many sentences", async () => {
  await encoder.close();
  encoder = await start(2);
  const stop = new AbortController();
  const many = Array.from({ length: 600 }, () => listen("600", { signal: stop.signal }));
  await expect.poll(() => encoder.load().sentences, patience).toBe(many.length);
  await expect.poll(() => encoder.load().threads, patience).toBe(2);
  stop.abort();
});

test("speech encoder: it tells the cost of a packet", async () => {
  await listen("30", { unpaced: true }).done;
  const { costMs } = encoder.load();
  expect(costMs).toBeGreaterThan(0.05);
  expect(costMs).toBeLessThan(packetMs);
});

test.runIf(process.platform === "linux")("speech encoder: its threads give way to all others", () => {
  const tasks = "/proc/self/task";
  const niceness = (id: string) =>
    Number(
      readFileSync(join(tasks, id, "stat"), "utf8")
        .split(") ")[1]!
        .split(" ")[16],
    );
  const all = readdirSync(tasks).map(niceness);
  expect(all.filter((value) => value >= 10).length).toBeGreaterThan(0);
  // Run by `nice`, all threads have that niceness or more.
  expect(niceness(String(process.pid))).toBe(getPriority());
  if (getPriority() < 10) expect(all.filter((value) => value >= 10)).toEqual([10]);
});
