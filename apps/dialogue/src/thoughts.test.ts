import { measureGrowth } from "@voxbus/testing";
import { expect, test } from "vitest";
import { createThoughtFilter, thoughtTag, type ThoughtFilter } from "./thoughts.ts";

function read(filter: ThoughtFilter, ...pieces: string[]): string[] {
  const { push, end } = filter.follow();
  return [...pieces.map(push), end()];
}

test("thoughts: a thought that only ends is not spoken, from the first answer on", () => {
  const filter = createThoughtFilter(() => 0);
  expect(read(filter, "The user wants", " a greeting.</thi", "nk>\n\nHello", " there.")).toEqual([
    "",
    "",
    "\n\nHello",
    " there.",
    "",
  ]);
  expect(read(filter, "Again.", "</think>Hello")).toEqual(["", "Hello", ""]);
  expect(read(filter, "No thought ", "this time.")).toEqual(["", "", "No thought this time."]);
});

test("thoughts: a model without them is held back once", () => {
  const filter = createThoughtFilter(() => 0);
  expect(read(filter, "Hello", " there.")).toEqual(["", "", "Hello there."]);
  expect(read(filter, "Hello", " there.")).toEqual(["Hello", " there.", ""]);
});

test("thoughts: the first answer is held back for 2 s at most", () => {
  let now = 0;
  const { push } = createThoughtFilter(() => now).follow();
  expect(push("Hello")).toBe("");
  now = 2001;
  expect(push(" there.")).toBe("Hello there.");
  expect(push(" Bye.")).toBe(" Bye.");
});

test("thoughts: those marked at both ends pass, since the sentences leave them out", () => {
  expect(
    read(
      createThoughtFilter(() => 0),
      "<think>",
      "Hm.",
      "</think>Hi",
    ),
  ).toEqual(["<think>", "Hm.", "</think>Hi", ""]);
});

test("thoughts: the time for many beginnings of a tag is linear", () => {
  for (const begin of ["<think ", "&lt;think ", "&lt;think:", "<|channel|> "])
    expect(measureGrowth((size) => thoughtTag.exec(begin.repeat(size / begin.length)), 3000)).toBeLessThan(30);
});
