import { expect, test } from "vitest";
import { BadArgumentError, describeArguments, readArguments } from "./tool-arguments.ts";

const inputSchema = {
  type: "object",
  properties: {
    volume: { type: "integer", minimum: 0, maximum: 100 },
    name: { type: "string" },
    on: { type: "boolean" },
    mode: { enum: ["slow", 2] },
    steps: { type: "array" },
    odd: true,
  },
  required: ["volume"],
};

test("arguments: each has a control that fits its type, and JSON where none does", () => {
  const all = describeArguments(inputSchema);
  expect(all.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    "volume number",
    "name text",
    "on choice",
    "mode choice",
    "steps json",
    "odd json",
  ]);
  expect(all.filter(({ isRequired }) => isRequired).map(({ name }) => name)).toEqual(["volume"]);
});

test("arguments: what was typed gets its type, and an empty field is left out", () => {
  const typed: Record<string, string> = { volume: "40", name: "42", on: "true", mode: "2", steps: "[1]" };
  const read = readArguments(describeArguments(inputSchema), (name) => typed[name] ?? "");
  expect(read).toEqual({ volume: 40, name: "42", on: true, mode: 2, steps: [1] });
  expect(() => readArguments(describeArguments(inputSchema), () => "[1")).toThrow(new BadArgumentError("on"));
});

test("arguments: what a form cannot show of a schema is left out", () => {
  const about = { type: ["integer"], description: { en: "Sets it." }, minimum: "0", maximum: null };
  const [odd] = describeArguments({ properties: { odd: about } });
  expect(odd).toEqual({ name: "odd", kind: "json", isRequired: false, isInteger: false, options: [] });
});

test.each([{}, { properties: [] }, { properties: "x", required: 5 }])("arguments: %j has none", (schema) => {
  expect(describeArguments(schema)).toEqual([]);
});
