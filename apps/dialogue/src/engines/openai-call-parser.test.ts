import { measureGrowth } from "@voxbus/testing";
import { expect, test } from "vitest";
import { parseCalls } from "./openai-call-parser.ts";

test.each([
  "<parameter=",
  '<parameter name="',
  "<parameter=a b",
  "<parameter=a>",
  "<arg_key></arg_key><arg_value>",
  "<arg_key>a</arg_key>  ",
  "<function=f>",
  "<invoke name=",
  "to=a ",
  "to=a<|message|>",
  "aaaa",
  "a.b ",
  "f(a=",
  'f("\\"',
  "f('x',",
  "```",
  "\n",
  ";  ",
  "   ",
  "<|a",
  "<tool_call>",
  "[ARGS]",
  "{",
])("parser of calls: the time for many %j is linear", (piece) => {
  const growth = Math.max(
    ...["", "fn\n", "fn<parameter=a>", "f(", "{"].map((begin) =>
      measureGrowth((size) => parseCalls(`${begin}${piece.repeat(size / piece.length)}!`), 3000),
    ),
  );
  expect(growth).toBeLessThan(30);
});
