import { expect, test } from "vitest";
import { joinSentences, splitSentences } from "./sentences.ts";

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

/** Joins the pieces of an array. */
async function join(pieces: readonly string[], language?: string): Promise<readonly string[]> {
  const joined: string[] = [];
  for await (const sentence of joinSentences(pieces, language)) joined.push(sentence);
  return joined;
}

test.each([
  ["en", ["It", " costs", " 3", ".", "5", " euros", ".", " Do", " you", " want", " it", "?", "\n"]],
  ["zh-CN", ["晚饭", "好了", "。", "请洗", "手", "！"]],
])("sentences: the pieces of a text in %s are joined to its sentences", async (language, pieces) => {
  const joined = await join(pieces, language);
  expect(joined).toHaveLength(2);
  expect(joined.join("").replaceAll(" ", "")).toBe(pieces.join("").replaceAll(/\s/g, ""));
});

test("sentences: one is given as soon as the next one begins, and white space is passed over", async () => {
  const read: string[] = [];
  async function* write() {
    for (const piece of ["One.", " ", "T", "wo.", "\n\n"]) {
      read.push(piece);
      yield piece;
    }
  }
  const sentences = joinSentences(write());
  expect(await sentences.next()).toEqual({ value: "One.", done: false });
  expect(read).toEqual(["One.", " ", "T"]);
  expect(await sentences.next()).toEqual({ value: "Two.", done: false });
  expect(await sentences.next()).toMatchObject({ done: true });
});

test("sentences: a text that never ends is cut", async () => {
  const pieces = "and on ".repeat(300).split("");
  const joined = await join(pieces);
  expect(joined.join(" ")).toBe(pieces.join("").trim());
  expect(joined.length).toBeGreaterThan(1);
});
