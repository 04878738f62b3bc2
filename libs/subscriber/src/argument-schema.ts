import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { isMap } from "./is-map.ts";

type Schema = Readonly<Record<string, unknown>>;
/** Gives the problems of arguments, or undefined if they fit. */
type Check = (args: unknown) => string | undefined;

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
const maxArgsLength = 16_384;
const maxArgsDepth = 16;
const shownProblems = 5;
/**
 * The longest check: the size of the schema, times the characters of the arguments. Each part of a schema may be compared with
 * each value. Of a check that is longer than the second limit, only the first problem is told.
 */
const maxWork = 2_000_000;
const maxFullWork = 100_000;

const single = ["additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"] as const;
const lists = ["allOf", "anyOf", "oneOf", "prefixItems"] as const;
const maps = ["dependentSchemas", "properties"] as const;
/** The other keywords that are checked. A pattern may take a person's time to match, so the tool checks it itself. */
const plain = [
  ...([
    "const",
    "dependentRequired",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxContains",
    "maxItems",
  ] as const),
  ...(["maxLength", "maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties"] as const),
  ...(["minimum", "multipleOf", "required", "type"] as const),
];

const options = { strict: false, logger: false, addUsedSchema: false } as const;
const ajv = new Ajv2020(options);
const allErrorsAjv = new Ajv2020({ ...options, allErrors: true });

/** Reads the JSON Schema of a tool's arguments. Throws SchemaError. */
export function readArgumentSchema(text: string): { readonly schema: Schema; readonly check: Check } {
  const schema = parse(text);
  if (!isMap(schema) || schema["type"] !== "object") throw new SchemaError('expected JSON Schema of the type "object"');
  if (exceedsDepth(schema, maxSchemaDepth)) throw new SchemaError(`expected at most ${maxSchemaDepth} levels`);
  const { expanded, size } = expandSchema(schema);
  if (exceedsDepth(expanded, maxExpandedDepth))
    throw new SchemaError(`expected at most ${maxExpandedDepth} levels, with all references filled in`);
  if (ajv.validateSchema(expanded) !== true) throw new SchemaError(ajv.errorsText(ajv.errors, { dataVar: "schema" }));
  return { schema, check: createCheck(expanded, size) };
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
 * reference comes back to itself, anything fits. So the work of a check has a limit.
 */
function expandSchema(root: Schema): { readonly expanded: Schema; readonly size: number } {
  let schemas = 0;
  let listed = 0;
  const expand = (schema: unknown, within: readonly string[]): Schema | boolean => {
    if (typeof schema === "boolean") return schema;
    if (!isMap(schema)) throw new SchemaError("expected each schema to be an object or a boolean");
    schemas += 1;
    if (schemas > mostSchemas)
      throw new SchemaError(`expected at most ${mostSchemas} schemas, with all references filled in`);
    const own: Record<string, unknown> = {};
    for (const keyword of plain) {
      if (schema[keyword] === undefined) continue;
      own[keyword] = schema[keyword];
      listed += countValues(schema[keyword]);
    }
    if (listed > mostListed)
      throw new SchemaError(`expected at most ${mostListed} names and values in lists, with all references filled in`);
    for (const keyword of single) {
      const value = schema[keyword];
      // Older drafts write a list here.
      if (keyword === "items" && Array.isArray(value)) own["prefixItems"] = value.map((one) => expand(one, within));
      else if (value !== undefined) own[keyword] = expand(value, within);
    }
    for (const keyword of lists) {
      const value = schema[keyword];
      if (Array.isArray(value)) own[keyword] = value.map((one) => expand(one, within));
    }
    for (const keyword of maps) {
      const value = schema[keyword];
      if (isMap(value))
        own[keyword] = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, expand(one, within)]));
    }
    const { $ref } = schema;
    if (typeof $ref !== "string" || within.includes($ref)) return own;
    return { allOf: [own, expand(resolve(root, $ref), [...within, $ref])] };
  };
  return { expanded: expand(root, []) as Schema, size: schemas + listed };
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

function createCheck(schema: Schema, size: number): Check {
  const maxLength = Math.min(maxArgsLength, Math.floor(maxWork / size));
  // To compile a schema takes milliseconds, and most tools are never called.
  const quick = compileOnce(ajv, schema);
  const full = compileOnce(allErrorsAjv, schema);
  return (args) => {
    if (exceedsDepth(args, maxArgsDepth)) return `they nest over ${maxArgsDepth} levels`;
    const { length } = JSON.stringify(args);
    if (length > maxLength) return `they have over ${maxLength} characters as JSON`;
    const validate = quick();
    if (validate(args)) return undefined;
    if (length * size > maxFullWork) return describeProblems(validate.errors);
    const validateAll = full();
    validateAll(args);
    return describeProblems(validateAll.errors);
  };
}

/** Compiles a schema when it is used first. */
function compileOnce(compiler: Ajv2020, schema: Schema): () => ValidateFunction {
  let compiled: ValidateFunction | undefined;
  return () => {
    if (compiled !== undefined) return compiled;
    compiled = compiler.compile(schema);
    // It would hold each version of each tool.
    compiler.removeSchema(schema);
    return compiled;
  };
}

function describeProblems(errors: readonly ErrorObject[] | null | undefined): string {
  const problems = (errors ?? []).slice(0, shownProblems).map(({ instancePath, message, params }) => {
    const { allowedValues, additionalProperty } = params as { allowedValues?: unknown; additionalProperty?: unknown };
    const named = [allowedValues, additionalProperty].find((value) => value !== undefined);
    const detail = named === undefined ? "" : `: ${JSON.stringify(named).slice(0, 200)}`;
    return `${instancePath.slice(1) || "they"} ${message}${detail}`;
  });
  return problems.join("; ");
}

function exceedsDepth(value: unknown, most: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return most === 0 || Object.values(value).some((one) => exceedsDepth(one, most - 1));
}
