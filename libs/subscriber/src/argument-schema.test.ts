import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { readArgumentSchema } from "./argument-schema.ts";
import { SchemaError } from "./json-schema.ts";

const read = (schema: unknown) => readArgumentSchema(JSON.stringify(schema));
const object = (properties: Record<string, unknown>, rest: object = {}) => ({ type: "object", properties, ...rest });

const when = (condition: object, schema: unknown): object =>
  JSON.parse(`{"if":${JSON.stringify(condition)},"then":${JSON.stringify(schema)}}`);
const city = object({ city: { type: "string", minLength: 1 } }, { required: ["city"] });
const lamp = object({ color: { enum: ["red", "blue"] } }, { additionalProperties: false });
const nested = object({ place: { $ref: "#/$defs/Place" } }, { $defs: { Place: city } });
const older = object({ pair: { type: "array", items: [{ type: "string" }, { type: "number" }] } });

test.each([
  [city, { city: "Rome" }, undefined],
  [city, {}, "they must have required property 'city'"],
  [city, { city: 5 }, "city must be string"],
  [city, { city: "" }, "city must NOT have fewer than 1 characters"],
  [city, [], "they must be object"],
  [lamp, { color: "green" }, 'color must be equal to one of the allowed values: ["red","blue"]'],
  [lamp, { shade: "red" }, 'they must NOT have additional properties: "shade"'],
  [nested, { place: { city: 5 } }, "place/city must be string"],
  [older, { pair: ["a", 1] }, undefined],
  [older, { pair: [1, 1] }, "pair/0 must be string"],
  [{ ...city, $schema: "http://json-schema.org/draft-07/schema#", $id: "https://a.b/c" }, { city: "Rome" }, undefined],
  [object({ at: { type: "string", format: "date-time", pattern: "^x$" } }), { at: "now" }, undefined],
  [object({}), { a: "x".repeat(17_000) }, "they have over 16384 characters as JSON"],
  [object({}), JSON.parse('{"a":'.repeat(20) + "1" + "}".repeat(20)), "they nest over 16 levels"],
])("arguments: %j tells of %j: %s", (schema, args, problem) => {
  expect(read(schema).check(args)).toBe(problem);
});

test.each<[string, object, unknown, unknown]>([
  [
    "beside patterns of names",
    { patternProperties: { "^r_": {} }, additionalProperties: false },
    { r_1: 3 },
    undefined,
  ],
  ["under `not`", { not: { pattern: "^admin" } }, "bob", undefined],
  ["under `not`, whose schema is checked", { not: { const: "admin" } }, "bob", "admin"],
  ["under `oneOf`", { oneOf: [{ format: "date" }, { format: "time" }], type: "string" }, "2026-12-24", 5],
  ["under `oneOf`, whose schemas are checked", { oneOf: [{ minimum: 5 }, { maximum: 5 }] }, 4, 5],
  ["behind a reference", { oneOf: [{ $ref: "#/$defs/date" }, { type: "string" }] }, "2026-12-24", 5],
  ["under `if`", when({ pattern: "^a" }, { const: "a" }), "b", undefined],
  ["under `if`, whose schema is checked", when({ const: 1 }, false), 2, 1],
  ["under `contains`", { contains: { pattern: "^a" }, maxContains: 1 }, ["a", "b"], undefined],
  ["under `contains`, whose schema is checked", { contains: { const: 1 }, maxContains: 1 }, [1, 2], [1, 1]],
  ["with an unknown keyword under `not`", { not: { "x-limit": 3 } }, 2, undefined],
  ["of decimals", { multipleOf: 0.1 }, 0.3, 0.35],
  ["of hundredths", { multipleOf: 0.01 }, 4.35, 4.355],
])("arguments %s are refused only if that is certain", (_, schema, good, bad) => {
  const { check } = read(object({ a: schema }, { $defs: { date: { type: "string", format: "date" } } }));
  expect(check({ a: good })).toBeUndefined();
  if (bad !== undefined) expect(check({ a: bad })).toMatch(/^a /);
});

test("arguments: at most 5 problems are told", () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`f${at}`, { type: "string" }]));
  const args = Object.fromEntries(Object.keys(many).map((name) => [name, 5]));
  expect(read(object(many)).check(args)?.split("; ")).toHaveLength(5);
});

test.each([
  ["no JSON", "{", /expected JSON/],
  ["no object", "[]", /type "object"/],
  ["a schema of a text", '{"type":"string"}', /type "object"/],
  ["an unknown type", JSON.stringify(object({ a: { type: "City" } })), /type/],
  ["a limit that is no number", JSON.stringify(object({ a: { minLength: "1" } })), /minLength/],
  ["a property that is no schema", JSON.stringify(object({ a: 5 })), /each schema/],
  ["a reference to elsewhere", JSON.stringify(object({ a: { $ref: "https://a.b/c" } })), /leaves the schema/],
  ["a reference to nothing", JSON.stringify(object({ a: { $ref: "#/$defs/no" } })), /leads nowhere/],
  ["a reference to a prototype", JSON.stringify(object({ a: { $ref: "#/constructor" } })), /leads nowhere/],
])("schema: %s is refused", (_, text, message) => {
  expect(() => readArgumentSchema(text)).toThrow(SchemaError);
  expect(() => readArgumentSchema(text)).toThrow(message);
});

test.each([
  "additionalProperties",
  "allOf",
  "const",
  "dependentRequired",
  "enum",
  "exclusiveMaximum",
  "exclusiveMinimum",
  "items",
  "maxContains",
  "maxItems",
  "maxLength",
  "maxProperties",
  "maximum",
  "minContains",
  "minItems",
  "minLength",
  "minProperties",
  "minimum",
  "multipleOf",
  "prefixItems",
  "required",
  "type",
])("schema: %s is refused where the compiler would refuse it", (keyword) => {
  const ajv = new Ajv2020({ strict: false, logger: false });
  const compiles = (schema: object) => {
    try {
      return ajv.compile(schema) !== undefined;
    } catch {
      return false;
    }
  };
  const reads = (schema: object) => {
    try {
      return read(schema).check({}) === undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(SchemaError);
      expect(String(error)).toMatch(/schema\/properties\/a\/|each schema/);
      return false;
    }
  };
  const lists = [[], ["a"], ["a", "a"], ["string", "null"], ["string", "string"], [1], [{}], [true]];
  const values = [0, 1, -1, 1.5, "a", "string", true, false, {}, { a: [] }, { a: ["b", "b"] }, { a: 1 }, ...lists];
  for (const value of values) {
    // Older drafts have lists there. A list of schemas that is no list is left out.
    if (keyword === "items" && Array.isArray(value)) continue;
    if (["allOf", "prefixItems"].includes(keyword) && !Array.isArray(value)) continue;
    const schema = object({ a: { [keyword]: value } });
    expect([value, reads(schema)]).toEqual([value, compiles(schema)]);
  }
});

test("schema: references that multiply are refused quickly, those to themselves accept anything", () => {
  const $defs = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [
      `d${at}`,
      { allOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] },
    ]),
  );
  const began = performance.now();
  expect(() => read(object({ a: { $ref: "#/$defs/d0" } }, { $defs: { ...$defs, d40: {} } }))).toThrow(/at most 400/);
  expect(performance.now() - began).toBeLessThan(500);
  const tree = object({ children: { type: "array", items: { $ref: "#" } } });
  expect(read(tree).check({ children: [{ children: [] }] })).toBeUndefined();
  expect(read(tree).check({ children: [5] })).toBe("children/0 must be object");
  expect(read(object({ a: { $ref: "#/properties/a" } })).check({ a: 1 })).toBeUndefined();
});

test("schema: a pattern that takes forever is not matched here", () => {
  const slow = object({ a: { type: "string", pattern: "^(a+)+$" } }, { patternProperties: { "^(b+)+$": false } });
  const began = performance.now();
  expect(read(slow).check({ a: `${"a".repeat(40)}!`, [`${"b".repeat(40)}!`]: 1 })).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(500);
});

test.each([
  ["a malformed escape in a reference", object({ a: { $ref: "#/$defs/%" } }), /leads nowhere/],
  ["1,000 levels", nest(1000, (inner) => ({ not: inner })), /at most 64 levels/],
  ["a default of 1,500 levels", object({ a: { default: nest(1500, (inner) => [inner]) } }), /at most 64 levels/],
  ["levels behind references", chain(10, 25), /at most 128 levels, with all references/],
  ["lists that references multiply", repeat(200, { required: names(100) }), /at most 4000 names and values/],
])("schema: one with %s is refused by name, at once", (_, schema, message) => {
  const began = process.cpuUsage();
  expect(() => read({ type: "object", ...schema })).toThrow(SchemaError);
  expect(() => read({ type: "object", ...schema })).toThrow(message);
  expect(process.cpuUsage(began).user).toBeLessThan(500_000);
});

test("arguments: no schema makes a check that stops the process for other devices", () => {
  const zeros = (length: number) => ({ a: Array.from({ length }, () => 0) });
  const items = (schema: object, count: number) => {
    const { $defs, allOf } = repeat(count, schema);
    return object({ a: { items: { allOf } } }, { $defs });
  };
  for (const [schema, args] of [
    [items({ type: "string" }, 190), zeros(8000)],
    [items({ type: "string" }, 190), zeros(2000)],
    [items({ enum: names(1000) }, 3), zeros(300)],
    [repeat(190, { required: names(9) }), {}],
    [repeat(190, { additionalProperties: false }), Object.fromEntries(names(300).map((name) => [name, 0]))],
  ] as const) {
    const tool = read(schema);
    const began = process.cpuUsage();
    expect(tool.check(args)).toBeTypeOf("string");
    const { user, system } = process.cpuUsage(began);
    expect(user + system).toBeLessThan(1_000_000);
  }
  expect(read(items({ type: "string" }, 190)).check(zeros(8000))).toBe("they have over 5221 characters as JSON");
});

test("arguments: those of 100,000 levels are refused", () => {
  const args = { a: nest(100_000, (inner) => [inner]) };
  expect(read(object({})).check(args)).toBe("they nest over 16 levels");
});

function nest(levels: number, wrap: (inner: object) => object): object {
  let value: object = {};
  for (let level = 0; level < levels; level += 1) value = wrap(value);
  return value;
}

function chain(links: number, levels: number) {
  const link = (at: number) => (at === links ? {} : { $ref: `#/$defs/d${at}` });
  const within = (inner: object) => Array.from({ length: levels }).reduce<object>((at) => ({ not: at }), inner);
  const $defs = Object.fromEntries(Array.from({ length: links }, (_, at) => [`d${at}`, within(link(at + 1))]));
  return object({ a: link(0) }, { $defs });
}

function repeat(count: number, schema: object) {
  return { type: "object", $defs: { d: schema }, allOf: Array.from({ length: count }, () => ({ $ref: "#/$defs/d" })) };
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => at.toString(36));
}
