import { createGrammar, garbagePrefix, intents, judgePhrase } from "@voxbus/intents";
import { loadSpeech } from "@voxbus/testing";
import { expect, test } from "vitest";
import { silentLog } from "@voxbus/testing";
import { createEmbeddedEngine } from "./embedded.ts";
import { testEngine } from "./engine.suite.ts";

const grammar = createGrammar(intents);
const judge = (text: string) => judgePhrase(intents, text);

testEngine("embedded", {
  create: () => createEmbeddedEngine({ grammar, garbagePrefix, judge, threads: 1, decoders: 2, log: silentLog }),
  speech: {
    time: "what time is it",
    joke: "tell me a joke",
    volume: "set the volume to fifty",
    timer: "set a timer for five minutes",
  },
  foreign: ["other", "other-rms"],
  foreignReason: "unrecognized",
  slots: 2,
  partials: true,
});

test("embedded engine: a word without a pronunciation is rejected by name", async () => {
  const fsg = "FSG_BEGIN x\nNUM_STATES 2\nSTART_STATE 0\nFINAL_STATE 1\nTRANSITION 0 1 1.0 xyzzyx\nFSG_END\n";
  const start = createEmbeddedEngine({
    grammar: { fsg, pronunciations: {} },
    garbagePrefix,
    judge,
    threads: 1,
    decoders: 1,
    log: silentLog,
  });
  await expect(start).rejects.toMatchObject({
    cause: { cause: { message: "words of the grammar without a pronunciation in en-us: xyzzyx" } },
  });
});

test("embedded engine: as a stand-in it loads its model when it is first asked", async () => {
  const fsg = "FSG_BEGIN x\nNUM_STATES 2\nSTART_STATE 0\nFINAL_STATE 1\nTRANSITION 0 1 1.0 xyzzyx\nFSG_END\n";
  const options = { garbagePrefix, judge, threads: 1, decoders: 1, standIn: true, log: silentLog };
  const never = new AbortController().signal;
  // With this grammar no thread can start.
  const idle = await createEmbeddedEngine({ ...options, grammar: { fsg, pronunciations: {} } });
  await expect(idle.open({ language: "en" }, never).finish()).rejects.toMatchObject({ code: "not-started" });
  await idle.close();

  const engine = await createEmbeddedEngine({ ...options, grammar });
  const recognition = engine.open({ language: "en" }, never);
  recognition.write(loadSpeech("time"));
  expect((await recognition.finish()).text).toBe("what time is it");
  await engine.close();
});

test("embedded engine: the same samples give the same text at any level and after any other speech", async () => {
  const engine = await createEmbeddedEngine({
    grammar,
    garbagePrefix,
    judge,
    threads: 1,
    decoders: 1,
    log: silentLog,
  });
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

test("embedded engine: judges the words before a pause, and the utterance goes on", async () => {
  const engine = await createEmbeddedEngine({ grammar, garbagePrefix, judge, threads: 1, decoders: 1, log: silentLog });
  const speech = loadSpeech("volume");
  // "set the volume to", and the rest.
  const cut = 19_500;
  const recognition = engine.open({ language: "en", onPartial: () => undefined }, new AbortController().signal);
  recognition.write(speech.slice(0, cut));
  expect(await recognition.judgePause!()).toBe("begun");
  recognition.write(speech.slice(cut));
  expect(await recognition.judgePause!()).toBe("whole");
  expect((await recognition.finish()).text).toBe("set the volume to fifty");
  const waiting = engine.open({ language: "en" }, new AbortController().signal).judgePause!();
  await engine.close();
  expect(await waiting).toBe("unknown");
});

test("embedded engine: an utterance that has ended is recognized before the words of those that go on", async () => {
  const engine = await createEmbeddedEngine({ grammar, garbagePrefix, judge, threads: 1, decoders: 4, log: silentLog });
  const never = new AbortController().signal;
  const partials: string[] = [];
  const speech = loadSpeech("time");
  const others = [1, 2, 3].map(() => engine.open({ language: "en", onPartial: (text) => partials.push(text) }, never));
  const ended = engine.open({ language: "en" }, never);
  // They have their decoders, and wait.
  await Promise.all([...others, ended].map((one) => one.judgePause!()));
  for (const other of others) for (const from of [0, 8000, 16_000]) other.write(speech.slice(from, from + 8000));
  ended.write(speech);
  expect((await ended.finish()).text).toBe("what time is it");
  const meanwhile = partials.length;
  await Promise.all(others.map((other) => other.judgePause!()));
  expect(partials.length).toBeGreaterThan(2 * meanwhile + 2);
  await engine.close();
});
