import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readWords, spokenForms } from "./words.ts";

test.each([
  ["What's the time?", "what is the time"],
  ["WHAT IS 12+3", "what is 12 plus 3"],
  ["what is 12 - 3", "what is 12 minus 3"],
  ["what is 3x4", "what is 3 times 4"],
  ["what is 9/3", "what is 9 divided by 3"],
  ["Set the volume to 50%, please.", "set the volume to 50 percent"],
  ["twenty-five", "twenty five"],
  ["I don’t know, 1,000 times", "i do not know 1000 times"],
  ["today's date", "today's date"],
  ["今天几点？", "今天几点"],
])("words: %s", (text, words) => {
  expect(readWords(text).join(" ")).toBe(words);
});

test("words: reading the result again changes nothing", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const words = readWords(text);
      expect(readWords(words.join(" "))).toEqual(words);
    }),
    { examples: [["ı's"], ["it's's"], ["1x1"], ["0x!0"], ["0x-0"], ["a'm0"], ["x'n't'm"]] },
  );
});

test("words: a path with a contraction has both spoken forms", () => {
  expect(spokenForms(["so", "what", "is", "it"])).toEqual([
    ["so", "what", "is", "it"],
    ["so", "what's", "it"],
  ]);
  expect(spokenForms(["stop"])).toEqual([["stop"]]);
});
