import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ModelError, writeAnswer } from "./answer.ts";
import type { Delta, LlmEngine } from "./engines/engine.ts";
import { createRequest } from "./engines/test-request.ts";
import { createThoughtFilter } from "./thoughts.ts";

const never = new AbortController().signal;

/** Lets a model answer for the first time, and gives the sentences that were written when `respond` called `written`. */
async function write(respond: (written: () => readonly string[]) => AsyncGenerator<Delta>): Promise<string[]> {
  const texts: string[] = [];
  const engine: LlmEngine = { name: "test", thoughts: createThoughtFilter(), respond: () => respond(() => [...texts]) };
  const options = {
    write: async (text: string) => void texts.push(text),
    answerMs: 10_000,
    onFirstToken: () => undefined,
    onEngineRun: () => undefined,
  };
  await writeAnswer(engine, createRequest("hi"), options, never);
  return texts;
}

const text = (text: string): Delta => ({ type: "text", text });

test("answer: what was written before a tool runs is spoken before it runs", async () => {
  let before: readonly string[] = [];
  await write(async function* (written) {
    yield text("Let me take a look");
    yield { type: "paragraph" };
    before = written();
    yield text("It rains.");
  });
  expect(before).toEqual(["Let me take a look"]);
});

test("answer: a sentence is spoken when the model pauses behind it, half a sentence is not", async () => {
  const before: (readonly string[])[] = [];
  await write(async function* (written) {
    for (const piece of ["One moment.", " It costs 3.", "50 at a", ".b", ". Dr.", " Who"]) {
      yield text(piece);
      await sleep(700);
      before.push(written());
    }
  });
  expect(before.slice(0, 4)).toEqual([["One moment."], ["One moment."], ["One moment."], ["One moment."]]);
  expect(before.at(-1)).toEqual(["One moment.", "It costs 3.50 at a.b."]);
});

test("answer: a slow model's sentences are not torn", async () => {
  const texts = await write(async function* () {
    for (const piece of ["See", " example", ".", "com", "."]) {
      yield text(piece);
      await sleep(350);
    }
  });
  expect(texts).toEqual(["See example.com."]);
});

test("answer: the thought of a model that says only where it ends is not spoken", async () => {
  const texts = await write(async function* () {
    yield text("The user greets me. I greet back.");
    yield text("</think>Hello.");
  });
  expect(texts).toEqual(["Hello."]);
});

test("answer: what a model wrote before it failed is spoken", async () => {
  let written: () => readonly string[] = () => [];
  const failing = write(async function* (texts) {
    written = texts;
    yield text("That is easy. But");
    throw new Error("broken");
  });
  await expect(failing).rejects.toThrow(ModelError);
  expect(written()).toEqual(["That is easy.", "But"]);
});

test("answer: if a sentence cannot be stored while the model pauses, the model is not waited for", async () => {
  let cancelled = false;
  const engine: LlmEngine = {
    name: "test",
    async *respond(_request, signal) {
      yield text("One moment.");
      await sleep(20_000, undefined, { signal }).catch(() => (cancelled = true));
    },
  };
  const options = {
    write: () => Promise.reject(new Error("another worker writes the reply")),
    answerMs: 30_000,
    onFirstToken: () => undefined,
    onEngineRun: () => undefined,
  };
  await expect(writeAnswer(engine, createRequest("hi"), options, never)).rejects.toThrow("another worker");
  expect(cancelled).toBe(true);
});
