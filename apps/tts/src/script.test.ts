import { expect, test } from "vitest";
import { countScripts, guessLanguage, latinShare } from "./script.ts";

test.each([
  ["Hello.", undefined, "en"],
  ["Hello.", "zh-CN", "en"],
  ["Guten Tag", "de-DE", "de"],
  ["你好", undefined, "zh"],
  ["你好", "yue", "yue"],
  ["The word 你好", "en", "zh"],
  ["東京は", "zh", "ja"],
  ["привет", "uk-UA", "uk"],
  ["привет", "en", "ru"],
  ["42", "fr", "fr"],
  ["ꆈꌠꉙ", "en", undefined],
])("script: %s, said to be %s, is read as %s", (text, language, guess) => {
  expect(guessLanguage(text, language)).toBe(guess);
});

test("script: only letters are counted, by script", () => {
  expect(Object.fromEntries(countScripts("Ab 1, 你好! é ꆈ"))).toEqual({ Latin: 3, Han: 2, Other: 1 });
});

test("script: a text without letters counts as Latin", () => {
  expect([latinShare("42!"), latinShare("a你"), latinShare("你")]).toEqual([1, 0.5, 0]);
});
