import type { z } from "zod";
import type { ProfileFieldName } from "../shared/character-words-en.ts";
import type { Words } from "../shared/words-en.ts";

/** The JSON Schema of a profile, or of one of its fields. */
export type ProfileSchema = z.core.JSONSchema.JSONSchema;

/** A field of a profile and the way in which the form edits it. */
export interface Field {
  readonly name: string;
  readonly kind: "text" | "area" | "number" | "lines" | "names" | "choice";
  readonly schema: ProfileSchema;
}

type Values = Readonly<Record<string, unknown>>;

/** A text that may be longer than this (characters) is edited in an area. */
const longText = 1024;

function kindOf({ type, enum: options, maxLength = 0, items, anyOf }: ProfileSchema): Field["kind"] | undefined {
  if (anyOf?.some((one) => one.type === "array")) return "names";
  if (options || type === "boolean") return "choice";
  if (type === "integer" || type === "number") return "number";
  if (type === "string") return maxLength > longText ? "area" : "text";
  return type === "array" && (items as ProfileSchema | undefined)?.type === "string" ? "lines" : undefined;
}

function listFields(schema: ProfileSchema, prefix = ""): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const field = value as ProfileSchema;
    if (field.properties) return listFields(field, `${prefix}${key}.`);
    const kind = kindOf(field);
    return kind ? [{ name: prefix + key, kind, schema: field }] : [];
  });
}

/** Returns the label of a field: its words, or else its description in the schema. */
export function labelOf({ name, schema }: Field, words: Words["character"]["fields"]): string {
  return words[name as keyof typeof words] ?? schema.description ?? name;
}

/** True for a field that takes several lines. */
export function isLong({ kind }: Field): boolean {
  return kind === "area" || kind === "lines";
}

/** The fields that make a device's character. The other ones are technical. */
const characterFields: readonly string[] = [
  "name",
  "place",
  "language",
  "voice",
  "engines.asr",
  "engines.tts",
  "engines.llm",
  "model.temperature",
  "model.topP",
  "model.maxTokens",
  "prompt",
  "greeting",
  "farewell",
  "wakeWords",
] satisfies readonly ProfileFieldName[];

/** True for a field that belongs to a device's character. */
export function isCharacter({ name }: Field): boolean {
  return characterFields.includes(name);
}

/** Lists the fields of a profile in the order of its schema, the long ones last. */
export function describeFields(schema: ProfileSchema): readonly Field[] {
  const fields = listFields(schema);
  return [...fields.filter((field) => !isLong(field)), ...fields.filter(isLong)];
}

/** Returns the profile's value of a field as the form shows it; empty without a value. */
export function readField(profile: Values, { name, kind }: Field): string {
  const value = name.split(".").reduce<unknown>((part, key) => (part as Values | undefined)?.[key], profile);
  if (Array.isArray(value)) return value.join(kind === "names" ? ", " : "\n");
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

function parseText({ kind, schema }: Field, text: string): unknown {
  if (kind === "number") return Number(text);
  if (kind === "lines") return text.split("\n").map((line) => line.trim()).filter(Boolean); // prettier-ignore
  if (kind === "names") {
    const names = text.split(",").map((name) => name.trim()).filter(Boolean); // prettier-ignore
    return names.length > 1 ? names : (names[0] ?? "");
  }
  return schema.type === "boolean" ? text === "true" : text;
}

function setValue(values: Values, [key = "", ...rest]: readonly string[], value: unknown): Values {
  return { ...values, [key]: rest.length === 0 ? value : setValue((values[key] ?? {}) as Values, rest, value) };
}

/** Returns the profile of a filled form. Empty fields are left out. Values of `own` that have no field are kept. */
export function readForm(fields: readonly Field[], filled: ReadonlyMap<string, string>, own: Values): Values {
  const shown = new Set(fields.map(({ name }) => name.split(".")[0]));
  const kept: Values = Object.fromEntries(Object.entries(own).filter(([name]) => !shown.has(name)));
  return fields.reduce((profile, field) => {
    const text = (filled.get(field.name) ?? "").trim();
    return text === "" ? profile : setValue(profile, field.name.split("."), parseText(field, text));
  }, kept);
}
