import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { readAhead } from "./read-ahead.ts";

const never = new AbortController().signal;

/** A source of numbers, which notes how far it was read and whether it was left. */
function createSource(count: number, error?: Error) {
  const state = { given: 0, left: false, signal: undefined as AbortSignal | undefined };
  async function* give(signal: AbortSignal) {
    state.signal = signal;
    try {
      for (; state.given < count;) {
        state.given += 1;
        yield state.given;
      }
      if (error) throw error;
    } finally {
      state.left = true;
    }
  }
  return { state, give };
}
const msOf = () => 1;

test("read ahead: the source is read to its end while the reader waits, if it fits", async () => {
  const { state, give } = createSource(3);
  const values = readAhead(give, { mostMs: 10, msOf }, never);
  expect(await values.next()).toEqual({ done: false, value: 1 });
  await setImmediate();
  expect(state).toMatchObject({ given: 3, left: true });
  expect([(await values.next()).value, (await values.next()).value]).toEqual([2, 3]);
  expect(await values.next()).toEqual({ done: true, value: undefined });
});

test("read ahead: the source waits for the reader when much of it waits", async () => {
  const { state, give } = createSource(100);
  const seen: number[] = [];
  for await (const value of readAhead(give, { mostMs: 4, msOf }, never)) {
    seen.push(value);
    await setImmediate();
    expect(state.given - value).toBeLessThanOrEqual(5);
  }
  expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
});

test("read ahead: an error of the source comes after its values", async () => {
  const { give } = createSource(2, new Error("broke off"));
  const seen: number[] = [];
  const read = async () => {
    for await (const value of readAhead(give, { mostMs: 4, msOf }, never)) seen.push(value);
  };
  await expect(read()).rejects.toThrow("broke off");
  expect(seen).toEqual([1, 2]);
});

test("read ahead: a reader that leaves, or whose signal aborts, ends the source", async () => {
  const left = createSource(100);
  for await (const _ of readAhead(left.give, { mostMs: 4, msOf }, never)) break;
  expect(left.state.left).toBe(true);
  expect(left.state.signal?.aborted).toBe(true);
  const aborted = createSource(100);
  const abort = new AbortController();
  const values = readAhead(aborted.give, { mostMs: 4, msOf }, abort.signal);
  await values.next();
  abort.abort(new Error("enough"));
  await expect(values.next()).rejects.toThrow("enough");
  expect(aborted.state.left).toBe(true);
});
