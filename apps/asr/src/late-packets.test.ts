import { expect, test } from "vitest";
import { watchPackets } from "./late-packets.ts";

/** Gives the times (ms) at which a thread is found to be behind. Each packet comes 50 ms after the one before. */
function findBehind(waits: readonly number[]): number[] {
  const isBehind = watchPackets();
  return waits.map((waitedMs, i) => (isBehind(waitedMs, 1000 + i * 50) ? i * 50 : 0)).filter((at) => at > 0);
}

test("late packets: a thread is behind when most packets of 2 s waited for over 100 ms, and is so once in 2 s", () => {
  expect(findBehind(Array<number>(100).fill(101))).toEqual([2000, 4000]);
  expect(findBehind(Array<number>(100).fill(100))).toEqual([]);
  expect(findBehind(Array.from({ length: 100 }, (_, i) => (i % 2) * 200))).toEqual([]);
});
