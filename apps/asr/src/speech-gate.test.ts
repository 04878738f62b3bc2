import { measureGrowth } from "@voxbus/testing";
import { describe, expect, test } from "vitest";
import { judgeUtterance } from "./speech-gate.ts";

/** Utterances as they were measured, and what becomes of each. */
const utterances: readonly (readonly [
  what: string,
  heard: {
    readonly text?: string;
    readonly confidence?: number;
    readonly reason?: "nothing-heard" | "unrecognized" | "failed";
  },
  voicing: readonly [voicedMs: number, pitchedMs: number],
  verdict: "noise" | "echo" | undefined,
])[] = [
  ["the word mute", { text: "mute", confidence: 0.7 }, [400, 340], undefined],
  ["the word stop", { text: "stop", confidence: 0.61 }, [420, 122], undefined],
  ["a slam taken for mute", { text: "mute", confidence: 0.33 }, [540, 20], "noise"],
  ["a slam that fits its word well, without a pitch", { text: "stop", confidence: 0.6 }, [300, 0], "noise"],
  ["a thud with a pitch that fits its word badly", { text: "stop", confidence: 0.56 }, [480, 320], "noise"],
  ["a click too short for a word", { text: "stop", confidence: 0.7 }, [80, 80], "noise"],
  ["a cough taken for three words", { text: "turn it up", confidence: 0.49 }, [520, 20], "noise"],
  ["a whispered command of five words", { text: "set the volume to fifty", confidence: 0.7 }, [1200, 0], undefined],
  ["a mumbled command of five words", { text: "set the volume to fifty", confidence: 0.4 }, [1200, 700], undefined],
  ["hiss taken for five words", { text: "set the volume to fifty", confidence: 0.4 }, [1200, 0], "noise"],
  ["the word stop, by a recognizer without confidence", { text: "Stop." }, [420, 122], undefined],
  ["a slam, by a recognizer without confidence", { text: "Thank you." }, [420, 20], "noise"],
  ["one word in Chinese", { text: "停。" }, [300, 200], undefined],
  ["a slam taken for one word in Chinese", { text: "停。" }, [300, 0], "noise"],
  ["a question in Chinese, whispered", { text: "现在几点了？" }, [900, 0], undefined],
  ["a sentence of unknown words", { reason: "unrecognized" }, [1500, 1200], undefined],
  ["a cough of unknown words", { reason: "unrecognized" }, [700, 300], "noise"],
  ["a conversation in the room", { reason: "unrecognized" }, [8000, 6400], "noise"],
  ["nothing", { reason: "nothing-heard" }, [500, 0], undefined],
  ["an engine that failed", { reason: "failed" }, [500, 0], undefined],
];

test.each(utterances)("speech gate: %s", (_, heard, [voicedMs, pitchedMs], verdict) => {
  const voicing = { voicedMs, pitchedMs };
  expect(judgeUtterance({ text: "", language: "en", ...heard }, { voicing, said: [] })).toBe(verdict);
});

describe("speech gate: while the device speaks", () => {
  const said = ["You can ask me what time it is.", "Say, set a timer for five minutes.", "现在是下午三点二十分。"];
  const judge = (text: string, confidence?: number, pitchedMs = 800) =>
    judgeUtterance(
      { text, language: "en", ...(confidence === undefined ? {} : { confidence }) },
      { voicing: { voicedMs: 1000, pitchedMs }, said },
    );

  test.each([
    "set a timer for five minutes",
    "Set a timer for 5 minutes.",
    "ask me what time it is",
    "You can ask me what time it is. Say, set a timer for five",
    "现在是下午三点二十分",
  ])("its own words are an echo: %s", (text) => {
    expect(judge(text)).toBe("echo");
  });

  test.each(["stop", "what is the date", "set the volume to fifty", "Please stop talking now.", "不要再说了"])(
    "other words are speech: %s",
    (text) => {
      expect(judge(text)).toBeUndefined();
    },
  );

  test("unclear words that are half the device's own are an echo, clear ones a command", () => {
    expect(judge("set a five second timer", 0.55)).toBe("echo");
    expect(judge("set a five second timer", 0.7)).toBeUndefined();
    expect(judge("what is the date", 0.55)).toBeUndefined();
  });

  test("words need all features, and sounds without known words are the device's own", () => {
    expect(judge("set the volume to fifty", 0.7, 0)).toBe("noise");
    expect(judge("set the volume to fifty", 0.4)).toBe("noise");
    const unknown = { text: "", language: "en", reason: "unrecognized" as const };
    expect(judgeUtterance(unknown, { voicing: { voicedMs: 1500, pitchedMs: 1200 }, said })).toBe("noise");
  });

  test("the time for a long reply is linear in its sentences", () => {
    const text = "the same words again and again and more ".repeat(30);
    const growth = measureGrowth((sentences) => {
      const long = Array.from({ length: sentences }, () => "the same words again and again ".repeat(30));
      judgeUtterance({ text, language: "en" }, { voicing: { voicedMs: 9000, pitchedMs: 9000 }, said: long });
    }, 20);
    expect(growth).toBeLessThan(30);
  });
});
