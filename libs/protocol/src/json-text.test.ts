import * as fc from "fast-check";
import { expect, it } from "vitest";
import { ProtocolError } from "./errors.ts";
import { isObjectText, parseJson, splitObject } from "./json-text.ts";

const space = fc.constantFrom("", " ", "\n\t", "\r ");
const object = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true, maxKeys: 8 });

it("split: every field of an object has the text of its value", () => {
  fc.assert(
    fc.property(object, space, fc.constantFrom(0, 1), (value, around, indent) => {
      const fields = splitObject(around + JSON.stringify(value, undefined, indent) + around);
      expect([...(fields ?? [])].map(([name, text]) => [name, JSON.parse(text)])).toEqual(
        Object.entries(JSON.parse(JSON.stringify(value)) as object),
      );
    }),
  );
});

it("split: of two fields with one name, the later one counts, as in JSON.parse", () => {
  expect(splitObject(String.raw`{"a":1,"\u0061":2}`)).toEqual(new Map([["a", "2"]]));
});

it.each([
  ...'{ } {, {,} {a:1} {1:1} {"a"} {"a":} {"a":,} {"a":1,} {"a":1}} {"a":{} {"a":[} {"a":]}'.split(" "),
  '{"a":"x',
  '{"a":"x\\"}',
  '{"a":1 2}',
  '{"a":{}"b":1}',
  '{"a":1}{}',
  "[]",
  "5",
  '"{}"',
  "",
  "null",
])("split: %s is no object", (text) => {
  expect(splitObject(text)).toBeUndefined();
  expect(isObjectText(text)).toBe(false);
});

it.each(['{"a":"\n"}', '{"a":{b}}', '{"a":01}', '{"a":[1,]}', '{"a":nil}'])(
  "object text: %j is not valid JSON",
  (text) => {
    expect(isObjectText(text)).toBe(false);
  },
);

it("split: whatever text comes, it gives fields, nothing or a ProtocolError, and an object of JSON gives fields", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const value = parseJson(text);
      const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
      try {
        const fields = splitObject(text);
        if (isObject) expect([...(fields?.keys() ?? [])]).toEqual(Object.keys(value));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

it.each([
  ["25 levels", `{"a":${"[".repeat(24)}${"]".repeat(24)}}`],
  ["8000 levels that do not end", `{"a":${"[".repeat(8000)}`],
  ["1100 values in a list", `{"a":[${"0,".repeat(1100)}0]}`],
  ["1100 objects", `{"a":[${"{}".repeat(1100)}]}`],
  ["1100 fields", `{"a":0${',"a":0'.repeat(1100)}}`],
])("limits: %s are refused", (_what, text) => {
  expect(() => splitObject(text)).toThrow(expect.objectContaining({ code: "bad-message" }) as Error);
});

it("parse: halves of surrogate pairs become U+FFFD, and text that is not JSON undefined", () => {
  expect(parseJson(String.raw`{"a":["\ud83d","\ud83d\ude00"]}`)).toEqual({ a: ["\ufffd", "😀"] });
  expect(parseJson("{")).toBeUndefined();
});
