import { expect, test } from "vitest";
import type { Sound } from "./engines/engine.ts";
import { createSoundFeed } from "./sound-feed.ts";

const never = new AbortController().signal;

function openFeed({ keepsAll = false } = {}) {
  const inputs: Sound[] = [];
  const forgotten: { inputs: number; results: number }[] = [];
  const feed = createSoundFeed(
    { write: (sound) => inputs.push(sound), forget: (options) => forgotten.push(options) },
    { keepsAll },
  );
  return { feed, inputs, forgotten, writtenMs: () => inputs.reduce((sum, one) => sum + lengthMs(one), 0) };
}

const lengthMs = ({ samples, sampleRate }: Sound) => (samples.length * 1000) / sampleRate;

const ramp = (count: number, from = 0) => Int16Array.from({ length: count }, (_, i) => (from + i) % 30_000);

test.each([24_000, 22_050, 16_000, 11_025])(
  "sound feed: sound at %i Hz waits while 2 s of it are in the thread, and arrives whole",
  async (sampleRate) => {
    const { feed, inputs, writtenMs } = openFeed();
    const samples = ramp(sampleRate * 20);
    const done = new AbortController();
    const written = feed.write({ sampleRate, samples }, never).then(() => done.abort());
    for (let packets = 0; !done.signal.aborted; packets += 1) {
      expect(writtenMs() - packets * 60).toBeLessThanOrEqual(2500);
      feed.countPacket();
      await new Promise(setImmediate);
    }
    await written;
    expect(inputs.flatMap((one) => Array.from(one.samples))).toEqual(Array.from(samples));
  },
);

test("sound feed: what waits for room ends with the reason of an abort", async () => {
  const { feed } = openFeed();
  const stop = new AbortController();
  const reason = new Error("enough");
  const written = feed.write({ sampleRate: 16_000, samples: ramp(16_000 * 9) }, stop.signal);
  stop.abort(reason);
  await expect(written).rejects.toBe(reason);
});

test("sound feed: a thread that takes over begins at a packet, at most 1 s before the newest", async () => {
  const sampleRate = 22_050;
  const { feed, inputs, forgotten } = openFeed();
  let packets = 0;
  for (const pieceMs of Array.from({ length: 200 }, (_, i) => 13 + (i % 90))) {
    const piece = ramp(Math.round((pieceMs * sampleRate) / 1000));
    const written = feed.write({ sampleRate, samples: piece }, never);
    while (inputs.reduce((sum, one) => sum + lengthMs(one), 0) - packets * 60 > 1500) {
      feed.countPacket();
      packets += 1;
      const last = forgotten.at(-1);
      if (!last) continue;
      const before = inputs.slice(0, last.inputs).reduce((sum, { samples }) => sum + samples.length, 0);
      expect(before).toBe((last.results * 60 * sampleRate) / 1000);
      expect(packets - last.results).toBeGreaterThanOrEqual(8);
      expect(packets - last.results).toBeLessThan(17);
    }
    await written;
  }
  expect(forgotten.length).toBeGreaterThan(10);
});

test("sound feed: of an engine that repeats itself, everything is kept", async () => {
  const { feed, forgotten } = openFeed({ keepsAll: true });
  await feed.write({ sampleRate: 16_000, samples: ramp(24_000) }, never);
  for (let i = 0; i < 25; i += 1) feed.countPacket();
  expect(forgotten).toEqual([]);
});
