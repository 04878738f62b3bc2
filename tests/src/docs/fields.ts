import { z } from "@voxbus/subscriber";

/**
 * The fields of an object's schema as the documents write them, `name?` where a field may be absent. Of a union: the
 * fields of all its options; one that some option lacks may be absent.
 */
export function listFields(schema: z.ZodType): string[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries<z.ZodType>(schema.shape).map(([name, field]) =>
      field.safeParse(undefined).success ? `${name}?` : name,
    );
  }
  if (!(schema instanceof z.ZodDiscriminatedUnion)) throw new Error(`no object: ${schema.type}`);
  const options = (schema.options as readonly z.ZodType[]).map(listFields);
  const names = new Set(options.flat().map((field) => field.replace("?", "")));
  return [...names].map((name) => (options.every((fields) => fields.includes(name)) ? name : `${name}?`));
}

/** The values that a message's `state` may have; empty when it has none. */
export function listStates(schema: z.ZodType): string[] {
  if (schema instanceof z.ZodDiscriminatedUnion) return (schema.options as readonly z.ZodType[]).flatMap(listStates);
  if (!(schema instanceof z.ZodObject)) return [];
  const { state } = schema.shape as Record<string, z.ZodType | undefined>;
  if (state instanceof z.ZodLiteral) return [...state.values].map(String);
  return state instanceof z.ZodEnum ? state.options.map(String) : [];
}
