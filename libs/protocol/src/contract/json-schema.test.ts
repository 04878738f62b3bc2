import { Ajv } from "ajv";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { buckets, type BucketRow } from "../buckets.ts";
import { envelopes } from "../channels.ts";
import { busVersion } from "../envelopes/fields.ts";
import { OwnProfile, StoredProfile } from "../profile.ts";
import { generate } from "../values.suite.ts";
import { describeContract } from "./json-schema.ts";

/** The rules that JSON Schema cannot express, by their messages. Its schemas take values that break only these. */
const unexpressed = new Set([
  "must be a BCP 47 language such as en or zh-CN",
  "must be an IANA time zone such as Europe/Berlin",
  "must be at most 4096 bytes",
  "must be at most 16,384 bytes",
  "must be the JSON text of an object",
  // A text may look like base64.
  "must be binary, at most 65535 bytes",
  "must be binary, at most 1,048,576 bytes",
]);
const repeat = (lengths: readonly number[]) => lengths.flatMap((length) => [length, length + 1]);
const texts = repeat([0, 64, 160, 200, 255, 1024, 4096, 16_384, 65_536]).map((length) => "x".repeat(length));
const numbers = repeat([-1e15 - 1, -1, 1, 2, 119, 120, 1000, 65_535, 0xffff_ffff, 1e15, 8_640_000_000_000_000]);
const lists = repeat([1, 16, 50, 64, 1024]).map((length) => Array.from({ length }, () => "x"));
const maps = repeat([0, 1024]).map((size) =>
  Object.fromEntries(Array.from({ length: size }, (_, at) => [`k${at}`, 1])),
);
const odd = [null, true, "a.b", "en", "audio", 2.5, 2.4, 0.5, 1.5, [], ["x", 1], { type: "stop" }, { a: { b: 1 } }];
const pool: readonly unknown[] = [...texts, ...numbers, ...lists, ...maps, ...odd, undefined];
const packets = [0, 1, 65_535, 65_536, 1_048_576, 1_048_579].map((length) => new Uint8Array(length));

/** Lists the paths of all values within a value. */
function listPaths(value: unknown): readonly (readonly (string | number)[])[] {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [[]];
  return [
    [],
    ...Object.entries(value).flatMap(([key, inner]) =>
      listPaths(inner).map((path) => [Array.isArray(value) ? Number(key) : key, ...path]),
    ),
  ];
}

/** Copies a value with another one at a path. */
function changeAt(
  value: unknown,
  [key, ...rest]: readonly (string | number)[],
  change: (old: unknown) => unknown,
): unknown {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) return value.map((item: unknown, at) => (at === key ? changeAt(item, rest, change) : item));
  const map = value as Readonly<Record<string, unknown>>;
  return { ...map, [key]: changeAt(map[key], rest, change) };
}

/** Copies a value with its bytes replaced, and without fields that are undefined. */
function copyWith(value: unknown, writeBytes: (bytes: Uint8Array) => unknown): unknown {
  if (value instanceof Uint8Array) return writeBytes(value);
  if (Array.isArray(value)) return value.map((item: unknown) => copyWith(item ?? null, writeBytes));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(kept.map(([key, inner]) => [key, copyWith(inner, writeBytes)]));
}

/** Writes a value as JSON, bytes as base64. */
function toJson(value: unknown): unknown {
  return copyWith(value, (bytes) => Buffer.from(bytes).toString("base64"));
}

const files = [...describeContract()];
const schemas = new Map<string, z.ZodType>([
  ...Object.entries<z.ZodType>(envelopes).map(
    ([name, schema]) => [`envelopes/${name.replace(" ", "-")}.json`, schema] as const,
  ),
  ...Object.entries<BucketRow>(buckets).map(([name, { schema }]) => {
    const file = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return [`buckets/${file}.json`, schema === StoredProfile ? OwnProfile : schema] as const;
  }),
]);

it("contract: has one schema for each envelope and each kind of bucket entry", () => {
  expect(files.map(([file]) => file)).toEqual([...schemas.keys()]);
});

describe.each(files)("%s", (file, described) => {
  const schema = schemas.get(file)!;
  const version = file.startsWith("envelopes/") ? { v: busVersion } : undefined;
  const validate = new Ajv({ strict: false }).compile(described);
  const asMessage = (value: unknown) =>
    version && typeof value === "object" && value !== null && !Array.isArray(value) ? { ...version, ...value } : value;
  const values = generate(schema).filter((value) => schema.safeParse(value).success);

  it("takes what the code takes, and refuses what the code refuses", () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.constantFrom(...pool), fc.constantFrom(...packets), (value, at, by, bytes) => {
        const paths = listPaths(value);
        // JSON cannot tell bytes from text, so bytes take the place of bytes alone.
        const change = (old: unknown) => (old instanceof Uint8Array ? bytes : by);
        const changed = copyWith(changeAt(value, paths[at % paths.length]!, change), (same) => same);
        if (changed === undefined) return;
        const taken = schema.safeParse(changed);
        const isValid = validate(toJson(asMessage(changed)));
        if (taken.success) expect(isValid, JSON.stringify(validate.errors)).toBe(true);
        else if (!taken.error.issues.every(({ message }) => unexpressed.has(message))) expect(isValid).toBe(false);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it("takes fields that it does not know", () => {
    fc.assert(
      fc.property(values, (value) => {
        if (Array.isArray(value)) return;
        expect(validate(toJson(asMessage({ ...(value as object), fieldOfTomorrow: { a: [1] } })))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it.runIf(version)("refuses another version, and none", () => {
    const [value] = fc.sample(values, { numRuns: 1, seed: 5 });
    for (const v of [0, 2, "1", undefined]) expect(validate(toJson({ ...(value as object), v }))).toBe(false);
  });
});
