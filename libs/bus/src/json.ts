import { namePath } from "@voxbus/protocol";
import type { z } from "zod";
import { maxLimit, type BrokenRule } from "./nats/drops.ts";

/**
 * Parses JSON. `broken` names an invalid field and the rule that it breaks, without its value, which may be private.
 */
export function parseJson<S extends z.ZodType>(
  schema: S,
  data: Uint8Array,
): { readonly value: z.infer<S>; readonly broken?: never } | { readonly value?: never; readonly broken: BrokenRule } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    return { broken: { field: "value", limit: "must be JSON in UTF-8" } };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { value: parsed.data };
  const issue = parsed.error.issues[0];
  return { broken: { field: namePath(issue?.path, "value"), limit: (issue?.message ?? "invalid").slice(0, maxLimit) } };
}
