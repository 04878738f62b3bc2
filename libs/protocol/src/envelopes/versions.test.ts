import { encode } from "@msgpack/msgpack";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { buckets, type BucketRow } from "../buckets.ts";
import { envelopes } from "../channels.ts";
import { OwnProfile, StoredProfile } from "../profile.ts";
import { generate } from "../values.suite.ts";
import { decodeEnvelope, encodeEnvelope } from "./codec.ts";
import { busVersion } from "./fields.ts";

type Fields = Readonly<Record<string, unknown>>;
const tomorrow = { fieldOfTomorrow: { list: [1, { a: null }], bytes: new Uint8Array(3) } };

/** Changes every map of a value that has fields of its own, the innermost first. Maps with free keys stay as they are. */
function changeMaps(schema: z.ZodType, value: unknown, change: (fields: Fields, of: z.ZodObject) => Fields): unknown {
  const inner = (part: z.ZodType, of: unknown) => changeMaps(part, of, change);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return value === undefined ? value : inner(schema.unwrap() as z.ZodType, value);
  if (schema instanceof z.ZodUnion) {
    const taken = (schema.options as readonly z.ZodType[]).find((option) => option.safeParse(value).success);
    return taken ? inner(taken, value) : value;
  }
  if (schema instanceof z.ZodArray && Array.isArray(value))
    return value.map((item) => inner(schema.element as z.ZodType, item));
  if (!(schema instanceof z.ZodObject)) return value;
  const known = Object.entries(value as Fields).map(([name, field]) => {
    const of = schema.shape[name] as z.ZodType | undefined;
    return [name, of ? inner(of, field) : field] as const;
  });
  return change(Object.fromEntries(known), schema);
}

/** Adds a field that this version does not know to every map. */
function writeAsNewer(schema: z.ZodType, value: unknown): unknown {
  return changeMaps(schema, value, (fields) => ({ ...fields, ...tomorrow }));
}

/** Leaves out every field that a writer may leave out. */
function writeAsOlder(schema: z.ZodType, value: unknown): unknown {
  return changeMaps(schema, value, (fields, { shape }) =>
    Object.fromEntries(
      Object.entries(fields).filter(([name]) => !(shape[name] as z.ZodType).safeParse(undefined).success),
    ),
  );
}

/** Takes the fields of tomorrow out of the maps that pass unknown fields on, such as messages for devices. */
function withoutTomorrow(schema: z.ZodType, value: unknown): unknown {
  return changeMaps(schema, value, ({ fieldOfTomorrow: _tomorrow, ...fields }) => fields);
}

describe.each(Object.entries<z.ZodType>(envelopes))("envelope %s", (_name, schema) => {
  const values = generate(schema) as fc.Arbitrary<object>;

  it("of a newer program: fields that are unknown are ignored, in maps within maps too", () => {
    fc.assert(
      fc.property(values, (value) => {
        const data = encodeEnvelope(z.any(), writeAsNewer(schema, value) as object);
        expect(withoutTomorrow(schema, decodeEnvelope(schema, data))).toEqual(value);
      }),
      { numRuns: 100 },
    );
  });

  it("of an older program: fields that are optional may all be absent", () => {
    fc.assert(
      fc.property(values, (value) => {
        const older = writeAsOlder(schema, value) as object;
        expect(decodeEnvelope(schema, encodeEnvelope(z.any(), older))).toEqual(older);
      }),
      { numRuns: 100 },
    );
  });

  it("of the next major version: refused by its name, and the next message is read", () => {
    const [value] = fc.sample(values, { numRuns: 1, seed: 9 });
    const next = encode({ ...value, v: busVersion + 1 });
    expect(() => decodeEnvelope(schema, next)).toThrow(expect.objectContaining({ code: "newer-version" }) as Error);
    expect(decodeEnvelope(schema, encodeEnvelope(z.any(), value!))).toEqual(value);
  });
});

describe.each(Object.entries<BucketRow>(buckets))("bucket entry %s", (_name, row) => {
  const schema = row.schema === StoredProfile ? OwnProfile : row.schema;
  const values = generate(schema).filter((value) => schema.safeParse(value).success);

  it("of a newer and of an older program: is read", () => {
    fc.assert(
      fc.property(values, (value) => {
        const newer = schema.parse(writeAsNewer(schema, value));
        expect(newer).toEqual(schema.parse(value));
        expect(schema.safeParse(writeAsOlder(schema, value)).success).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
