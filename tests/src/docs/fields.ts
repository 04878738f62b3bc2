import { z } from "@voxbus/subscriber";

/**
 * Lists the fields of a schema as the documents write them, with `name?` for an optional field. For a union it lists the fields
 * of all options; those that an option lacks are optional.
 */
export function listFields(schema: z.ZodType): string[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries<z.ZodType>(schema.shape).map(([name, field]) =>
      field.safeParse(undefined).success ? `${name}?` : name,
    );
  }
  if (!(schema instanceof z.ZodDiscriminatedUnion)) throw new Error(`expected an object schema, got ${schema.type}`);
  const options = (schema.options as readonly z.ZodType[]).map(listFields);
  const names = new Set(options.flat().map((field) => field.replace("?", "")));
  return [...names].map((name) => (options.every((fields) => fields.includes(name)) ? name : `${name}?`));
}

/** Lists the values of a message's `state`; empty if it has no such field. */
export function listStates(schema: z.ZodType): string[] {
  if (schema instanceof z.ZodDiscriminatedUnion) return (schema.options as readonly z.ZodType[]).flatMap(listStates);
  if (!(schema instanceof z.ZodObject)) return [];
  const { state } = schema.shape as Record<string, z.ZodType | undefined>;
  if (state instanceof z.ZodLiteral) return [...state.values].map(String);
  return state instanceof z.ZodEnum ? state.options.map(String) : [];
}
