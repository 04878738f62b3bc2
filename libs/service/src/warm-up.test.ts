import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { createWarm } from "./warm-up.ts";

const running = new AbortController().signal;

function createNotes() {
  const notes: { readonly message: string; readonly err?: unknown }[] = [];
  const note = (details: { readonly err?: unknown }, message: string) => void notes.push({ message, err: details.err });
  return { notes, log: { debug: note, info: note } as unknown as Parameters<typeof createWarm>[0] };
}

test("warm-up: it is awaited, and its failure is logged and harms nothing", async () => {
  const { notes, log } = createNotes();
  const warm = createWarm(log, running);
  let done = false;
  await warm(async () => {
    await sleep(1);
    done = true;
  });
  expect(done).toBe(true);
  const err = new Error("no such voice");
  await warm(() => Promise.reject(err));
  expect(notes).toMatchObject([{ message: "warm-up finished" }, { message: "warm-up not finished", err }]);
});

test("warm-up: one that does not end is left after five seconds, and hears of it", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { notes, log } = createNotes();
  let heard: AbortSignal | undefined;
  const warmed = createWarm(
    log,
    running,
  )((signal) => {
    heard = signal;
    return new Promise(() => undefined);
  });
  await vi.advanceTimersByTimeAsync(4999);
  expect(heard?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await warmed;
  expect(heard?.aborted).toBe(true);
  expect(notes).toMatchObject([
    { message: "warm-up not finished", err: { message: expect.stringContaining("5000 ms") } },
  ]);
});

test("warm-up: it ends at once when the program stops, without a word", async () => {
  const { notes, log } = createNotes();
  const stop = new AbortController();
  const warmed = createWarm(log, stop.signal)(() => new Promise(() => undefined));
  stop.abort(new Error("the program stops"));
  await warmed;
  expect(notes).toEqual([]);
});
