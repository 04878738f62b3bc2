import { createPool, type PoolOptions } from "@voxbus/pools";
import { expect, test, vi } from "vitest";
import { TtsError, type Speech, type TtsEngine } from "./engine.ts";
import { createPooledEngine } from "./pooled-engine.ts";

const never = new AbortController().signal;

/** 1 s of sound in each form. A packet of a quiet voice has few bytes. */
const seconds: readonly (readonly [form: string, Speech])[] = [
  ["samples at 24 kHz", { sampleRate: 24_000, samples: new Int16Array(24_000) }],
  ["samples at 8 kHz", { sampleRate: 8000, samples: new Int16Array(8000) }],
  ["Opus packets", { packets: Array.from({ length: 17 }, () => new Uint8Array(20)) }],
];
const second = seconds[0]![1];

/** An engine whose sounds are 1 s each, in a pool of one slot. */
function create(sounds: number, options: Partial<PoolOptions> & { readonly sound?: Speech } = {}) {
  let made = 0;
  let closed = false;
  const engine: TtsEngine = {
    name: "test",
    repeatable: false,
    longestText: 100,
    speaks: () => true,
    async *synthesize({ text }) {
      if (text === "broken") throw new TtsError("bad-audio", "no sound");
      for (let i = 0; i < sounds; i += 1) {
        made += 1;
        yield options.sound ?? second;
      }
      if (text === "hang") await new Promise(() => undefined);
    },
    close: async () => void (closed = true),
  };
  const pool = createPool({ name: "synthesis", slots: 1, timeoutMs: 60_000, ...options });
  return { engine: createPooledEngine(engine, pool), pool, made: () => made, isClosed: () => closed };
}
const collect = async (engine: TtsEngine, text: string) => {
  let count = 0;
  for await (const _ of engine.synthesize({ text }, never)) count += 1;
  return count;
};
const high = (pool: ReturnType<typeof create>["pool"]) => pool.stats().work[0]!;

test("pooled engine: a slow listener does not hold the slot, if the rest of the sound fits", async () => {
  const { engine, pool } = create(8);
  const slow = engine.synthesize({ text: "slow" }, never)[Symbol.asyncIterator]();
  await slow.next();
  await vi.waitFor(() => expect(high(pool)).toMatchObject({ running: 0, done: 1 }), 15_000);
  expect(await collect(engine, "other")).toBe(8);
  let rest = 0;
  while ((await slow.next()).done !== true) rest += 1;
  expect(rest).toBe(7);
});

test.each(seconds)("pooled engine: at most 10 s of sound wait for a slow listener: %s", async (_, sound) => {
  const { engine, pool, made } = create(100, { sound });
  const slow = engine.synthesize({ text: "slow" }, never)[Symbol.asyncIterator]();
  await slow.next();
  const other = collect(engine, "other");
  await vi.waitFor(() => expect(high(pool)).toMatchObject({ running: 1, waiting: 1 }), 15_000);
  await new Promise(setImmediate);
  // One was taken, and the one that exceeds the bound had to be made.
  expect(made()).toBe(11);
  await slow.return?.();
  expect(await other).toBe(100);
});

test("pooled engine: its errors are those of an engine", async () => {
  const { engine } = create(1, { timeoutMs: 50, waiting: { high: 0, normal: 0, low: 0 } });
  await expect(collect(engine, "broken")).rejects.toMatchObject({ name: "TtsError", code: "bad-audio" });
  const hanging = collect(engine, "hang");
  await expect(collect(engine, "other")).rejects.toMatchObject({ name: "TtsError", code: "unavailable" });
  await expect(hanging).rejects.toMatchObject({ name: "TtsError", code: "time-out" });
});

test("pooled engine: closing it ends its syntheses, and closes the engine", async () => {
  const { engine, isClosed } = create(1);
  const hanging = expect(collect(engine, "hang")).rejects.toMatchObject({ code: "unavailable" });
  await engine.close();
  await hanging;
  expect(isClosed()).toBe(true);
  await expect(collect(engine, "late")).rejects.toMatchObject({ code: "unavailable" });
});
