import { namePath } from "@voxbus/protocol";
import type { z } from "zod";

/** Parses JSON. `field` names an invalid field, without its value, which may be private. */
export function parseJson<S extends z.ZodType>(
  schema: S,
  data: Uint8Array,
): { readonly value?: z.infer<S>; readonly field?: string } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(data));
  } catch (error) {
    if (error instanceof SyntaxError) return { field: "value" };
    throw error;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { value: parsed.data };
  return { field: namePath(parsed.error.issues[0]?.path, "value") };
}
