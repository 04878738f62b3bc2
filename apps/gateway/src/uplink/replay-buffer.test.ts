import { expect, test } from "vitest";
import { KeptFrames, replayBytes, replayMs } from "./replay-buffer.ts";
import { createHeld } from "../limits.ts";

const frame = (seq: number, size = 200) => new Uint8Array(size).fill(seq);

test("kept frames: what is read is what was kept, in order, across runs and gaps", () => {
  const kept = new KeptFrames(createHeld(1e9));
  const sizes = (seq: number) => 1 + ((seq * 37) % 900);
  for (let seq = 1; seq <= 300; seq += 1) if (seq !== 100) kept.keep(seq, seq, frame(seq, sizes(seq)));
  expect(kept.read(95, 105)).toEqual(
    [95, 96, 97, 98, 99, 101, 102, 103, 104, 105].map((seq) => Buffer.from(frame(seq, sizes(seq)))),
  );
  expect(kept.read(1, 300)).toHaveLength(299);
  expect(kept.read(301, 400)).toEqual([]);
});

test("kept frames: the newest 30 s stay, what is older goes run by run, and its room is given back", () => {
  const held = createHeld(1e9);
  const kept = new KeptFrames(held);
  for (let seq = 1; seq <= 1000; seq += 1) kept.keep(seq, seq * 60, frame(seq));
  kept.prune(60_000);
  const oldest = 1001 - kept.read(1, 1000).length;
  expect(oldest * 60).toBeLessThanOrEqual(60_000 - replayMs + 60);
  expect(oldest * 60).toBeGreaterThan(60_000 - replayMs - 5000);
  kept.prune(60_000 + replayMs);
  expect(kept.read(1, 1000)).toEqual([]);
  expect(held.bytes).toBe(0);
});

test("kept frames: the byte limits of a session and of the process hold", () => {
  const held = createHeld(replayBytes + 20_000);
  const kept = new KeptFrames(held);
  for (let seq = 1; seq <= 5000; seq += 1) expect(kept.keep(seq, 0, frame(seq))).toBe(true);
  expect(held.bytes).toBeLessThanOrEqual(replayBytes);
  expect(kept.read(5000, 5000)).toHaveLength(1);
  expect(kept.read(1, 1)).toEqual([]);
  expect(new KeptFrames(createHeld(100)).keep(1, 0, frame(1))).toBe(false);
  kept.clear();
  expect(held.bytes).toBe(0);
});
