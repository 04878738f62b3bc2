import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createSentenceCutter } from "./sentences.ts";

function cut(chunks: readonly string[], language?: string) {
  const cutter = createSentenceCutter(language);
  return [...chunks.flatMap((chunk) => cutter.push(chunk)), ...cutter.end()];
}
const say = (text: string, language?: string) =>
  cut([text], language)
    .map((sentence) => sentence.text)
    .filter((text) => text !== "");

const text = fc
  .array(
    fc.oneof(
      fc.constantFrom("Hello", "Dr. ", "3.14", ". ", "! ", "? ", "。", "！", "\n", "，", ", ", "今天天气很好", " and "),
      fc.constantFrom("😊", "👩‍👩‍👧", "**bold**", "```", "<think>", "</think>", "1. ", "e.g. ", "…", "“", "”", " "),
      fc.string({ unit: "binary", maxLength: 12 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

test("sentences: together they are the text, and its chunks do not matter", () => {
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (text, sizes) => {
      const whole = cut([text]);
      expect(whole.map(({ written }) => written).join("")).toBe(text);
      const chunks: string[] = [];
      for (let at = 0, i = 0; at < text.length; i += 1) {
        const size = sizes[i % sizes.length] ?? 1;
        chunks.push(text.slice(at, at + size));
        at += size;
      }
      expect(cut(chunks)).toEqual(whole);
    }),
  );
});

test("sentences: English is cut at the end of a sentence, not after abbreviations, numbers or initials", () => {
  expect(say("Dr. Smith paid 3.50 to J. Doe, e.g. in cash. Really? Yes! The end")).toEqual([
    "Dr. Smith paid 3.50 to J. Doe, e.g. in cash.",
    "Really?",
    "Yes!",
    "The end",
  ]);
});

test("sentences: Chinese is cut without spaces", () => {
  expect(say("你好！今天天气很好。你想去哪里？“好的。”我们走吧", "zh")).toEqual([
    "你好！",
    "今天天气很好。",
    "你想去哪里？",
    "“好的。”",
    "我们走吧",
  ]);
});

test.each([
  ["Hello there. ", "W", "Hello there."],
  ["你好。", "今", "你好。"],
])("sentences: %j is complete with the next character", (written, next, spoken) => {
  const cutter = createSentenceCutter();
  expect(cutter.push(written)).toEqual([]);
  expect(cutter.push(next).map(({ text }) => text)).toEqual([spoken]);
});

test("sentences: a long beginning is cut after a clause, later parts may be longer", () => {
  const clause = "this is a rather long clause that goes on and on";
  const [first = "", second = ""] = say(`${clause}, ${clause}, ${clause}, ${clause}, ${clause}.`);
  expect(first).toBe(`${clause},`);
  expect(second.length).toBeGreaterThan(100);
});

test("sentences: markdown, code and thoughts are not spoken", () => {
  const written = [
    "<think>The user wants code. Fine!</think>## Answer",
    "- **First** do _this_ and `that`.",
    "1. See [the manual](http://localhost/x_y) now.",
    "```js",
    "secret(1 + 2);",
    "```",
    "| a | b |",
    "snake_case stays.",
  ].join("\n");
  expect(say(written)).toEqual([
    "Answer",
    "First do this and that.",
    "1. See the manual now.",
    "a, b",
    "snake_case stays.",
  ]);
});

test("sentences: an emoji becomes a face and is not spoken", () => {
  expect(cut(["Well done! 🎉 See you 👋🏽. ", "😴"]).map(({ text, emotion }) => [text, emotion])).toEqual([
    ["Well done!", undefined],
    ["See you .", "happy"],
    ["", "sleepy"],
  ]);
});
