/** Loads the reader of the JSON Schemas of tools' arguments. Most programs do without it, and it takes memory. */
export function loadArgumentSchemas(): Promise<typeof import("./argument-schema.ts")> {
  return import("./argument-schema.ts");
}
