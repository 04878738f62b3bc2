import { createGrammar, garbagePrefix, intents } from "@voxbus/intents";
import { expect, test } from "vitest";
import { createEmbeddedEngine } from "./engine-embedded.ts";
import { testEngine } from "./engine.suite.ts";
import { loadSpeech } from "./speech-samples.ts";

const grammar = createGrammar(intents);

testEngine("embedded", {
  create: () => createEmbeddedEngine({ grammar, garbagePrefix, threads: 1, decoders: 2 }),
  speech: {
    time: "what time is it",
    joke: "tell me a joke",
    volume: "set the volume to fifty",
    timer: "set a timer for five minutes",
  },
  foreign: ["other", "other-rms"],
  partials: true,
});

const writeFsg = (states: number, ...lines: readonly string[]) =>
  [
    "FSG_BEGIN test",
    `NUM_STATES ${states}`,
    "START_STATE 0",
    `FINAL_STATE ${states - 1}`,
    ...lines,
    "FSG_END",
    "",
  ].join("\n");

test("embedded engine: words without a pronunciation are refused by name", async () => {
  const fsg = writeFsg(2, "TRANSITION 0 1 1.0 hello", "TRANSITION 0 1 1.0 xyzzyx", "TRANSITION 0 1 1.0 badphone");
  const pronunciations = { badphone: "QQ AH" };
  const start = createEmbeddedEngine({ grammar: { fsg, pronunciations }, garbagePrefix, threads: 1, decoders: 1 });
  await expect(start).rejects.toMatchObject({
    cause: { cause: { message: expect.stringMatching(/: xyzzyx, badphone$/) as string } },
  });
});

// The library's own loader corrupts its heap with grammars and dictionaries of some sizes modulo 8.
test("embedded engine: grammars and dictionaries of any size are understood", async () => {
  for (let size = 0; size < 8; size++) {
    const word = `greeting${"g".repeat(size)}`;
    // A comment of its own length makes the grammar's size differ from the dictionary's.
    const fsg = writeFsg(3, `# ${"x".repeat(2 * size)}`, `TRANSITION 0 1 1.0 ${word}`, "TRANSITION 1 2 1.0 there");
    const pronunciations = { [word]: "HH AH L OW" };
    const engine = await createEmbeddedEngine({
      grammar: { fsg, pronunciations },
      garbagePrefix,
      threads: 1,
      decoders: 1,
    });
    const recognition = engine.open({ language: "en" }, new AbortController().signal);
    recognition.write(loadSpeech("hello"));
    expect((await recognition.finish()).text).toBe(`${word} there`);
    await engine.close();
  }
});

test("embedded engine: the same samples give the same text, however loud and whatever came before", async () => {
  const engine = await createEmbeddedEngine({ grammar, garbagePrefix, threads: 1, decoders: 1 });
  const hear = async (samples: Int16Array) => {
    const recognition = engine.open({ language: "en" }, new AbortController().signal);
    recognition.write(samples);
    return (await recognition.finish()).text;
  };
  const speech = loadSpeech("time");
  for (const before of ["other", "joke"]) {
    await hear(loadSpeech(before));
    expect(await hear(speech)).toBe("what time is it");
    expect(await hear(speech.map((sample) => Math.round(sample / 10)))).toBe("what time is it");
  }
  await engine.close();
});
