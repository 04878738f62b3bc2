import { expect, test } from "vitest";
import { splitSentences } from "./sentences.ts";

test("sentences: a short text stays whole", () => {
  expect(splitSentences("  Dinner is ready. Come! ")).toEqual(["Dinner is ready. Come!"]);
});

test("sentences: white space alone is one empty sentence", () => {
  expect(splitSentences(" \n ")).toEqual([""]);
});

test.each([
  ["en", "The kettle has boiled and the tea is on the table. ".repeat(12)],
  ["zh-CN", "晚饭已经准备好了，请大家洗手以后到餐厅来。今天天气很好！".repeat(14)],
])("sentences: a long text in %s is divided where sentences end, and nothing is lost", (language, text) => {
  const sentences = splitSentences(text, language);
  expect(sentences.length).toBeGreaterThan(1);
  expect(sentences.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
  for (const sentence of sentences) {
    expect(sentence.length).toBeLessThanOrEqual(200);
    expect(sentence).toMatch(/[.。!！]$/);
  }
});

test("sentences: one that never ends is left whole", () => {
  const text = "and on ".repeat(60).trim();
  expect(splitSentences(text)).toEqual([text]);
});
