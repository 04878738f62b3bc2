import { z } from "zod";
import { isMap } from "./is-map.ts";

/** JSON Schema as an object. */
export type Schema = Readonly<Record<string, unknown>>;

/** A schema of arguments that cannot be used. The message says why. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}

/** The most schemas within a schema, and names and values in their lists, with what its references stand for. */
const mostSchemas = 400;
const mostListed = 4000;
const maxSchemaDepth = 64;
/** Each reference adds two levels. */
const maxExpandedDepth = 128;

const single = ["additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"] as const;
/** The keywords that refuse what the schema of `contains`, `if` or `not` takes. */
const refusers: Readonly<Record<string, string>> = { contains: "maxContains", if: "if", not: "not" };
const lists = ["allOf", "anyOf", "oneOf", "prefixItems"] as const;
const maps = ["dependentSchemas", "properties"] as const;

const typeNames = ["array", "boolean", "integer", "null", "number", "object", "string"];
const isUnique = (list: readonly unknown[]) => new Set(list).size === list.length;
const names = z.array(z.string()).refine(isUnique, "expected different names");
const count = z.number().min(0).refine(Number.isInteger, "expected a whole number");
const type = z
  .union([z.string(), z.array(z.string()).min(1).refine(isUnique)])
  .refine((given) => [given].flat().every((name) => typeNames.includes(name)));
/** The other keywords that are checked. A pattern may take a person's time to match, so the tool checks it itself. */
const Keywords = z
  .object({
    const: z.unknown(),
    dependentRequired: z.record(z.string(), names),
    enum: z.array(z.unknown()).min(1),
    exclusiveMaximum: z.number(),
    exclusiveMinimum: z.number(),
    maxContains: count,
    maxItems: count,
    maxLength: count,
    maxProperties: count,
    maximum: z.number(),
    minContains: count,
    minItems: count,
    minLength: count,
    minProperties: count,
    minimum: z.number(),
    multipleOf: z.number().positive(),
    required: names,
    type,
  })
  .partial();
const plain = Object.keys(Keywords.shape);
/** Keywords that decide nothing. One that is neither here nor above is not checked. */
const annotations =
  "$anchor $comment $defs $id $ref $schema default definitions deprecated description examples readOnly title writeOnly";
const understood = new Set<string>([...plain, ...single, ...lists, ...maps, ...annotations.split(" ")]);

/** A schema that can be used. `expanded` has its references filled in, and `size` counts its parts. */
export interface ReadSchema {
  readonly schema: Schema;
  readonly expanded: Schema;
  readonly size: number;
}

/** Reads the JSON Schema of a tool's arguments. Throws SchemaError. */
export function readSchema(text: string): ReadSchema {
  const schema = parse(text);
  if (!isMap(schema) || schema["type"] !== "object") throw new SchemaError('expected JSON Schema of the type "object"');
  if (exceedsDepth(schema, maxSchemaDepth)) throw new SchemaError(`expected at most ${maxSchemaDepth} levels`);
  const { expanded, size } = expandSchema(schema);
  if (exceedsDepth(expanded, maxExpandedDepth))
    throw new SchemaError(`expected at most ${maxExpandedDepth} levels, with all references filled in`);
  return { schema, expanded, size };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SchemaError("expected JSON", { cause });
  }
}

/**
 * Gives a schema with only the keywords that are checked, with its references filled in, and the number of its parts. Where a
 * reference comes back to itself, anything fits. So the work of a check has a limit. It takes everything that the
 * whole schema takes: a keyword that refuses what a schema below it takes is left out where that schema is not checked in full.
 */
function expandSchema(root: Schema): Pick<ReadSchema, "expanded" | "size"> {
  let schemas = 0;
  let listed = 0;
  /** The keywords that were left out. */
  let unchecked = 0;
  const expand = (schema: unknown, at: string, within: readonly string[]): Schema | boolean => {
    if (typeof schema === "boolean") return schema;
    if (!isMap(schema)) throw new SchemaError(`${at}: expected each schema to be an object or a boolean`);
    schemas += 1;
    if (schemas > mostSchemas)
      throw new SchemaError(`expected at most ${mostSchemas} schemas, with all references filled in`);
    const own: Record<string, unknown> = {};
    unchecked += Object.keys(schema).filter((keyword) => !understood.has(keyword)).length;
    for (const keyword of plain) {
      if (schema[keyword] === undefined) continue;
      own[keyword] = schema[keyword];
      listed += countValues(schema[keyword]);
    }
    if (listed > mostListed)
      throw new SchemaError(`expected at most ${mostListed} names and values in lists, with all references filled in`);
    checkKeywords(own, at);
    const expandList = (keyword: string, list: readonly unknown[]) => {
      if (list.length === 0) throw new SchemaError(`${at}/${keyword}: expected at least one schema`);
      return list.map((one, index) => expand(one, `${at}/${keyword}/${index}`, within));
    };
    for (const keyword of single) {
      const value = schema[keyword];
      // Older drafts write a list here.
      if (keyword === "items" && Array.isArray(value)) own["prefixItems"] = expandList(keyword, value);
      else if (value !== undefined) {
        const before = unchecked;
        own[keyword] = expand(value, `${at}/${keyword}`, within);
        if (unchecked > before) delete own[refusers[keyword] ?? ""];
      }
    }
    // What a pattern names is no additional property.
    if (schema["patternProperties"] !== undefined) delete own["additionalProperties"];
    const alternatives: unknown[] = [];
    for (const keyword of lists) {
      const value = schema[keyword];
      if (!Array.isArray(value)) continue;
      const before = unchecked;
      const expanded = expandList(keyword, value);
      if (keyword === "oneOf" && unchecked > before) alternatives.push({ anyOf: expanded });
      else own[keyword] = expanded;
    }
    for (const keyword of maps) {
      const value = schema[keyword];
      if (!isMap(value)) continue;
      const expanded = Object.entries(value).map(([name, one]) => [
        name,
        expand(one, `${at}/${keyword}/${name}`, within),
      ]);
      own[keyword] = Object.fromEntries(expanded);
    }
    const { $ref } = schema;
    if (typeof $ref === "string") {
      if (within.includes($ref)) unchecked += 1;
      else alternatives.push(expand(resolve(root, $ref), at, [...within, $ref]));
    }
    return alternatives.length === 0 ? own : { allOf: [own, ...alternatives] };
  };
  return { expanded: expand(root, "schema", []) as Schema, size: schemas + listed };
}

/** Checks the keywords that are no schemas, as the meta-schema of draft 2020-12 does. */
function checkKeywords(own: Schema, at: string): void {
  const [issue] = Keywords.safeParse(own).error?.issues ?? [];
  if (issue === undefined) return;
  const [keyword] = issue.path;
  const problem = keyword === "type" ? `expected one of ${typeNames.join(", ")}, or a list of them` : issue.message;
  throw new SchemaError(`${at}/${issue.path.map(String).join("/")}: ${problem}`);
}

function countValues(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, one) => sum + 1 + countValues(one), 0);
}

/** Finds what a reference within the schema stands for, such as `#/$defs/City`. */
function resolve(root: Schema, reference: string): unknown {
  if (!/^#(?:\/|$)/.test(reference)) throw new SchemaError(`the reference "${reference}" leaves the schema`);
  const keys = reference.split("/").slice(1);
  return keys.reduce<unknown>((at, key) => {
    const name = decodeKey(key).replaceAll("~1", "/").replaceAll("~0", "~");
    if (isMap(at) && Object.hasOwn(at, name)) return at[name];
    throw new SchemaError(`the reference "${reference}" leads nowhere`);
  }, root);
}

/** Decodes a key of a reference. One that is malformed stands for itself. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** Tells whether a value nests over more levels than `most`. */
export function exceedsDepth(value: unknown, most: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return most === 0 || Object.values(value).some((one) => exceedsDepth(one, most - 1));
}
