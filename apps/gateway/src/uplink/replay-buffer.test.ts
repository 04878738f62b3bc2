import { expect, test } from "vitest";
import { fixedLimits } from "../limits.ts";
import { createMemoryBudget } from "../memory-budget.ts";
import { ReplayBuffer } from "./replay-buffer.ts";

const { replayBytes, replayMs } = fixedLimits;

const frame = (seq: number, size = 200) => new Uint8Array(size).fill(seq);

test("replay buffer: frames are read as they were kept, in order, across runs and gaps", () => {
  const buffer = new ReplayBuffer(createMemoryBudget(1e9));
  const sizes = (seq: number) => 1 + ((seq * 37) % 900);
  for (let seq = 1; seq <= 300; seq += 1) if (seq !== 100) buffer.keep(seq, seq, frame(seq, sizes(seq)));
  expect(buffer.read(95, 105)).toEqual(
    [95, 96, 97, 98, 99, 101, 102, 103, 104, 105].map((seq) => Buffer.from(frame(seq, sizes(seq)))),
  );
  expect(buffer.read(1, 300)).toHaveLength(299);
  expect(buffer.read(301, 400)).toEqual([]);
});

test("replay buffer: the newest 30 s stay, older ones go run by run, and their memory is released", () => {
  const memory = createMemoryBudget(1e9);
  const buffer = new ReplayBuffer(memory);
  for (let seq = 1; seq <= 1000; seq += 1) buffer.keep(seq, seq * 60, frame(seq));
  buffer.prune(60_000);
  const oldest = 1001 - buffer.read(1, 1000).length;
  expect(oldest * 60).toBeLessThanOrEqual(60_000 - replayMs + 60);
  expect(oldest * 60).toBeGreaterThan(60_000 - replayMs - 5000);
  buffer.prune(60_000 + replayMs);
  expect(buffer.read(1, 1000)).toEqual([]);
  expect(memory.bytes).toBe(0);
});

test("replay buffer: the byte limits of a session and of the process hold", () => {
  const memory = createMemoryBudget(replayBytes + 20_000);
  const buffer = new ReplayBuffer(memory);
  for (let seq = 1; seq <= 5000; seq += 1) expect(buffer.keep(seq, 0, frame(seq))).toBe(true);
  expect(memory.bytes).toBeLessThanOrEqual(replayBytes);
  expect(buffer.read(5000, 5000)).toHaveLength(1);
  expect(buffer.read(1, 1)).toEqual([]);
  expect(new ReplayBuffer(createMemoryBudget(100)).keep(1, 0, frame(1))).toBe(false);
  buffer.clear();
  expect(memory.bytes).toBe(0);
});
