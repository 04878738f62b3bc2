import { expect, test } from "vitest";
import { watchLateness } from "./lateness.ts";

/** Gives the times (ms) at which a thread is found to be behind. Each piece comes `gapMs` after the one before. */
function findBehind(pieces: readonly boolean[], gapMs = 50): number[] {
  const isBehind = watchLateness(2000);
  return pieces.map((isLate, i) => (isBehind(isLate, 1000 + i * gapMs) ? i * gapMs : 0)).filter((at) => at > 0);
}

test("lateness: a thread is behind when most pieces of a window were late, and is so once in a window", () => {
  expect(findBehind(Array<boolean>(100).fill(true))).toEqual([2000, 4000]);
  expect(findBehind(Array<boolean>(100).fill(false))).toEqual([]);
  expect(findBehind(Array.from({ length: 100 }, (_, i) => i % 2 === 1))).toEqual([]);
});

test("lateness: fewer than 20 pieces show nothing", () => {
  expect(findBehind(Array<boolean>(100).fill(true), 150)).toEqual([]);
});
