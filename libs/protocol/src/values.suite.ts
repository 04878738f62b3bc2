import * as fc from "fast-check";
import { z } from "zod";

const keys = fc.string({ minLength: 1, maxLength: 8 }).filter((key) => key !== "__proto__");
const json = fc.dictionary(
  keys,
  fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.integer(), { maxLength: 3 })),
  { maxKeys: 4 },
);

/**
 * Values that a schema of this library takes, for tests that walk all of them. Throws for a kind of schema that none
 * of them uses yet, so that a new one is not left out in silence.
 */
export function generate(schema: z.ZodType): fc.Arbitrary<unknown> {
  if (schema instanceof z.ZodObject) return generateObject(schema.shape);
  if (schema instanceof z.ZodUnion) return fc.oneof(...(schema.options as z.ZodType[]).map(generate));
  if (schema instanceof z.ZodLiteral) return fc.constantFrom(...schema.values);
  if (schema instanceof z.ZodEnum) return fc.constantFrom(...schema.options);
  if (schema instanceof z.ZodBoolean) return fc.boolean();
  if (schema instanceof z.ZodUnknown) return json;
  if (schema instanceof z.ZodRecord) {
    const of = schema.valueType as z.ZodType;
    return of instanceof z.ZodUnknown ? json : fc.dictionary(keys, generate(of), { maxKeys: 4 });
  }
  if (schema instanceof z.ZodArray) return fc.array(generate(schema.element as z.ZodType), { maxLength: 4 });
  if (schema instanceof z.ZodTuple) return fc.tuple(...(schema.def.items as z.ZodType[]).map(generate));
  if (schema instanceof z.ZodString) return generateString(schema);
  if (schema instanceof z.ZodNumber) return generateNumber(schema);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodCatch) {
    return generate(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodPipe) return generate(schema.in as z.ZodType);
  if (schema instanceof z.ZodCustom) return fc.uint8Array({ maxLength: 400 });
  throw new Error(`no values are generated for ${schema.type}`);
}

function generateObject(shape: Readonly<Record<string, z.ZodType>>): fc.Arbitrary<unknown> {
  const optional = Object.keys(shape).filter((key) => shape[key]?.safeParse(undefined).success);
  const requiredKeys = Object.keys(shape).filter((key) => !optional.includes(key));
  const fields = Object.fromEntries(Object.entries(shape).map(([key, field]) => [key, generate(field)]));
  return fc.record(fields, { requiredKeys });
}

// A rule that a string must keep (a pattern, a refinement) is met by names, and by what passes it. Some are the texts of JSON.
function generateString(schema: z.ZodString): fc.Arbitrary<unknown> {
  const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  const foreign = fc.constantFrom(
    "en",
    "zh-CN",
    "Europe/Berlin",
    "07:30",
    "0123456789abcdef0123456789abcdef",
    // A SHA-256 in base64url.
    "h".repeat(43),
    "",
    "你好，世界",
    "Größe",
    "👩‍🚀",
    "\u0000\n\u2028",
    '"\\',
  );
  const texts = fc.oneof(json, fc.array(fc.integer(), { maxLength: 3 })).map((value) => JSON.stringify(value));
  const all = fc.oneof(fc.string({ maxLength: 40 }), name, foreign, texts);
  const isTaken = (text: string) => schema.safeParse(text).success;
  // A rule that none of them keeps would be tried for ever.
  if (!fc.sample(all, { numRuns: 500, seed: 1 }).some(isTaken))
    throw new Error("no text is generated that a field takes");
  return all.filter(isTaken);
}

function generateNumber(schema: z.ZodNumber): fc.Arbitrary<unknown> {
  const min = schema.minValue === null || !Number.isFinite(schema.minValue) ? -1e9 : schema.minValue;
  const max = schema.maxValue === null || !Number.isFinite(schema.maxValue) ? 1e12 : schema.maxValue;
  return schema.format === "safeint"
    ? fc.integer({ min: Math.max(min, -(2 ** 31)), max: Math.min(max, 2 ** 31) })
    : fc.double({ min, max, noNaN: true }).map((value) => value + 0); // neither MessagePack's integers nor JSON know -0
}
