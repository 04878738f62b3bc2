import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { createScreen, type Output } from "./screen.ts";

/** An output that keeps what was written. */
function createOutput(given: Partial<Output> = {}) {
  let written = "";
  let fail = (): void => undefined;
  const output: Output & { writableLength: number } = {
    writableLength: 0,
    write: (text) => (written += text),
    on: (_event, listener) => (fail = listener),
    ...given,
  };
  return { output, text: () => written, fail: () => fail() };
}

/** Applies what a terminal does with returns, erasures and colors, and gives the lines that remain. */
function render(text: string): readonly string[] {
  const plain = text.split("\n").map((line) => line.split("\r\x1b[K").at(-1)!);
  return plain.map((line) => stripVTControlCharacters(line));
}

test("screen: in a terminal a draft is replaced by the next draft, and by the line", () => {
  const { output, text } = createOutput({ isTTY: true, columns: 60 });
  const screen = createScreen(output, () => undefined);
  screen.draft("kitchen", "turn the");
  screen.draft("kitchen", "turn the light");
  expect(render(text())).toEqual(["kitchen           > turn the light"]);
  screen.line("kitchen", ">", "turn the light on");
  screen.line("hall", "<", "The light is on.");
  expect(render(text())).toEqual(["kitchen           > turn the light on", "hall              < The light is on.", ""]);
});

test("screen: a transcript without words removes the draft of its own device only", () => {
  const { output, text } = createOutput({ isTTY: true });
  const screen = createScreen(output, () => undefined);
  screen.draft("kitchen", "hm");
  screen.line("hall", ">", "");
  expect(render(text())).toEqual(["kitchen           > hm"]);
  screen.line("kitchen", ">", "");
  expect(render(text())).toEqual([""]);
});

test("screen: a draft never fills the line, and shows its end", () => {
  const { output, text } = createOutput({ isTTY: true, columns: 40 });
  createScreen(output, () => undefined).draft("kitchen", `${"word ".repeat(50)}end`);
  const [line] = render(text());
  expect(line).toHaveLength(39);
  expect(line).toMatch(/end$/);
});

test("screen: outside of a terminal there are lines only, without escape sequences", () => {
  const { output, text } = createOutput();
  const screen = createScreen(output, () => undefined);
  screen.draft("kitchen", "turn");
  screen.line("kitchen", ">", "turn the light on");
  expect(text()).toBe("kitchen           > turn the light on\n");
});

test("screen: a text cannot command the terminal", () => {
  const { output, text } = createOutput();
  createScreen(output, () => undefined).line("kitchen", ">", "a\x1b[2J\x1b]0;title\x07b\r\nc\x9b");
  expect(text()).toMatch(/^kitchen {11}> [\x20-\x7e]*\n$/);
});

test("screen: what a slow reader cannot take is left out, and the number of captions is told", () => {
  const { output, text } = createOutput({ writableLength: 2_000_000 });
  const screen = createScreen(output, () => undefined);
  screen.line("kitchen", ">", "one");
  screen.line("kitchen", ">", "two");
  expect(text()).toBe("");
  (output as { writableLength: number }).writableLength = 0;
  screen.line("kitchen", ">", "three");
  expect(text()).toBe("(2 captions left out: the output is too slow)\nkitchen           > three\n");
});

test("screen: it tells when its reader is gone", () => {
  const { output, fail } = createOutput();
  let closed = 0;
  createScreen(output, () => (closed += 1));
  fail();
  expect(closed).toBe(1);
});
