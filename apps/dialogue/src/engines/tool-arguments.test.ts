import { expect, test } from "vitest";
import { readObject } from "./json-object.ts";
import { fitArguments } from "./tool-arguments.ts";

const schema = {
  type: "object",
  properties: {
    volume: { type: "integer" },
    speed: { type: "NUMBER" },
    on: { type: "boolean" },
    text: { type: "string" },
    list: { type: "array" },
    any: {},
    odd: null,
  },
};

test.each([
  [{ volume: "50" }, { volume: 50 }],
  [{ volume: " 50 " }, { volume: 50 }],
  [{ volume: "50.5" }, { volume: "50.5" }],
  [{ volume: "loud" }, { volume: "loud" }],
  [{ volume: "" }, { volume: "" }],
  [{ volume: 50 }, { volume: 50 }],
  [{ speed: "1.5" }, { speed: 1.5 }],
  [{ on: "True" }, { on: true }],
  [{ on: "false" }, { on: false }],
  [{ on: "yes" }, { on: "yes" }],
  [{ text: 50 }, { text: "50" }],
  [{ text: "50" }, { text: "50" }],
  [{ list: "[1, 2]" }, { list: [1, 2] }],
  [
    { any: "50", odd: "50", other: "50" },
    { any: "50", odd: "50", other: "50" },
  ],
  [{ toString: "50" }, { toString: "50" }],
])("tool arguments: %j become %j", (given, fitting) => {
  expect(fitArguments(given, schema)).toEqual(fitting);
});

test.each([
  ["", {}],
  [" ", {}],
  ["null", {}],
  ['{"a":1}', { a: 1 }],
  ['"{\\"a\\":1}"', { a: 1 }],
  ['```json\n{"a":{"b":"}"}}\n```', { a: { b: "}" } }],
  ['{"a":1}}', { a: 1 }],
  ['{"a":1}{"a":1}', { a: 1 }],
  ["[50]", undefined],
  ["50", undefined],
  ['"50"', undefined],
  ['{"a":', undefined],
  ["50 }", undefined],
])("tool arguments: the text %j is %j", (text, object) => {
  expect(readObject(text)).toEqual(object);
});
