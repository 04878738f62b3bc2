import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFold } from "./fold.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function createCounter() {
  const done: [string, number][] = [];
  const fold = createFold<number, number>(
    (sum = 0, item) => sum + item,
    (key, sum) => void done.push([key, sum]),
  );
  return { done, fold };
}

test("fold: gives the sum of each key one second after its first item, and then begins again", () => {
  const { done, fold } = createCounter();
  expect(fold.add("a", 1)).toBe(true);
  vi.advanceTimersByTime(400);
  expect([fold.add("a", 2), fold.add("b", 5)]).toEqual([false, true]);
  vi.advanceTimersByTime(599);
  expect(done).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(done).toEqual([["a", 3]]);
  expect(fold.add("a", 7)).toBe(true);
  vi.advanceTimersByTime(1000);
  expect(done).toEqual([
    ["a", 3],
    ["b", 5],
    ["a", 7],
  ]);
});

test("fold: a flush gives everything at once, and nothing comes again", () => {
  const { done, fold } = createCounter();
  fold.add("a", 1);
  fold.add("b", 2);
  fold.flush();
  expect(done).toEqual([
    ["a", 1],
    ["b", 2],
  ]);
  vi.advanceTimersByTime(5000);
  expect(done).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test("fold: of more keys than it holds, the oldest is given early", () => {
  const { done, fold } = createCounter();
  for (let at = 0; at <= 4096; at += 1) fold.add(`key${at}`, at);
  expect(done).toEqual([["key0", 0]]);
  expect(vi.getTimerCount()).toBe(4096);
});
