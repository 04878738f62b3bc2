import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { exceedsDepth, readSchema, type Schema } from "./json-schema.ts";

/** Gives the problems of arguments, or undefined if they fit. */
type Check = (args: unknown) => string | undefined;

const maxArgsLength = 16_384;
const maxArgsDepth = 16;
const shownProblems = 5;
/**
 * The longest check: the size of the schema, times the characters of the arguments. Each part of a schema may be compared with
 * each value. Of a check that is longer than the second limit, only the first problem is told.
 */
const maxWork = 2_000_000;
const maxFullWork = 100_000;

/** A number such as 0.3 is no whole multiple of 0.1 in binary. */
const multipleOfPrecision = 9;
const options = { strict: false, logger: false, addUsedSchema: false, multipleOfPrecision } as const;
const ajv = new Ajv2020(options);
const allErrorsAjv = new Ajv2020({ ...options, allErrors: true });

/** Reads the JSON Schema of a tool's arguments. Throws SchemaError. */
export function readArgumentSchema(text: string): { readonly schema: Schema; readonly check: Check } {
  const { schema, expanded, size } = readSchema(text);
  return { schema, check: createCheck(expanded, size) };
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
