import * as fc from "fast-check";
import { callNotations, measureGrowth } from "@voxbus/testing";
import { expect, test } from "vitest";
import { createTextCallScanner } from "./openai-text-calls.ts";

const isTool = (name: string) => ["set_volume", "reboot"].includes(name);

/** Scans pieces. Gives the text and the calls that were among it. */
function scan(...pieces: readonly string[]) {
  const scanner = createTextCallScanner(isTool);
  const scanned = [...pieces.map((piece) => scanner.push(piece)), scanner.end()];
  return {
    text: scanned.map(({ text }) => text).join(""),
    calls: scanned.flatMap(({ calls }) => calls.map(({ name, args }) => [name, JSON.parse(args)])),
  };
}

const cut = (text: string, length: number) => text.match(new RegExp(`[^]{1,${length}}`, "g")) ?? [];

test.each(Object.entries(callNotations))("calls in text: %s is found wherever it is cut", (_, write) => {
  const text = `Wait. ${write({ name: "set_volume", args: '{"volume":50}' })}`;
  for (let length = 1; length <= text.length; length += 1)
    expect(scan(...cut(text, length))).toEqual({ text: "Wait. ", calls: [["set_volume", { volume: 50 }]] });
});

test.each([
  ["braces", "In LaTeX, \\frac{1}{2} is a half. "],
  ["a set", "The set {1, 2} has two elements. "],
  ["an object", '{"volume": 50} is JSON. '],
  ["code", "```js\nf({ name: 1 });\n``` is code. "],
  ["comparisons", "2 < 3 and <b>bold</b>. "],
  ["brackets", "[TOOLS] and [TOOL]. "],
])("calls in text: %s are text, and do not hold back what follows", (_, text) => {
  const scanner = createTextCallScanner(isTool);
  expect(scanner.push(`${text}And more.`).text).toBe(`${text}And more.`);
});

test("calls in text: JSON that names no tool is text", () => {
  const text = '{"name": "Ada", "arguments": {}}';
  expect(scan(text)).toEqual({ text, calls: [] });
});

test("calls in text: a call in a thought is not made", () => {
  const thought = '<think>I could <tool_call>{"name": "reboot", "arguments": {}}</tool_call>, but no.</think>';
  for (const length of [1, 3, 1000])
    expect(scan(...cut(`${thought}No.`, length))).toEqual({ text: `${thought}No.`, calls: [] });
  expect(scan("<think>Hm", "m <tool_call>", "{}")).toEqual({ text: "<think>Hmm <tool_call>{}", calls: [] });
});

test.each([
  [
    "a thought and the answer",
    "<|channel|>analysis<|message|>He asks.<|end|><|start|>assistant<|channel|>final<|message|>Yes.",
    "Yes.",
  ],
  ["words before a call", "<|channel|>commentary<|message|>Let me look.<|end|>", "Let me look.<|end|>"],
  ["a thought without an end", "<|channel|>analysis<|message|>He asks for a long time.", ""],
  ["the name of a channel alone", "<|start|>assistant<|channel|>final", ""],
])("calls in text: channels with %s", (_, text, spoken) => {
  for (const length of [1, 3, 1000]) expect(scan(...cut(text, length))).toEqual({ text: spoken, calls: [] });
});

test("calls in text: several in one notation are all made", () => {
  for (const name of ["deepseek", "deepseek, newer", "kimi", "mistral, newer", "minimax"] as const) {
    const one = callNotations[name]({ name: "set_volume", args: '{"volume":50}' });
    const two = callNotations[name]({ name: "reboot", args: "{}" });
    const expected = [["set_volume", { volume: 50 }], ["reboot", {}]]; // prettier-ignore
    expect(scan(one + two)).toEqual({ text: "", calls: expected });
    const [section = ""] = /<｜tool▁calls▁end｜>|<\|tool_calls_section_end\|>|<\/minimax:tool_call>/.exec(one) ?? [];
    const [begin = ""] = /^<｜tool▁calls▁begin｜>|^<\|tool_calls_section_begin\|>|^<minimax:tool_call>/.exec(two) ?? [];
    expect(scan(one.replace(section, "") + two.replace(begin, ""))).toEqual({ text: "", calls: expected });
  }
});

test.each([
  ["malformed", "<tool_call>reboot now!</tool_call>Done."],
  ["of empty JSON", "<tool_call>{}</tool_call>Done."],
  ["without a body", "<tool_call></tool_call>Done."],
])("calls in text: one that is %s is left out, and the rest is text", (_, text) => {
  expect(scan(text)).toEqual({ text: "Done.", calls: [] });
});

test("calls in text: any text is passed on whole if it has no mark of a call", () => {
  const plain = fc.string({ unit: "grapheme" }).filter((text) => !/[<[{`]/.test(text));
  fc.assert(
    fc.property(fc.array(plain), (pieces) => {
      expect(scan(...pieces).text).toBe(pieces.join(""));
    }),
  );
});

test.each(["{", '{"name":', "<tool_call>", "```", "[TOOL_CALLS]", "<think>", "<", '{"name":}', "[a", "<|channel|>"])(
  "calls in text: the time for many %s that never end is linear",
  (part) => {
    const growth = measureGrowth((size) => scan(...cut(part.repeat(size / part.length), 1000)), 10_000);
    expect(growth).toBeLessThan(30);
  },
);
