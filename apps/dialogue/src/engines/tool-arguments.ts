import { isMap } from "@voxbus/subscriber";
import { parseJson } from "@voxbus/protocol";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Gives arguments the types of a tool's schema, where they are only written in another way: small models put numbers in
 * quotes, and firmware refuses a text as a number. Anything else stays as it is.
 */
export function fitArguments(args: Fields, { properties }: Fields): Fields {
  if (!isMap(properties)) return args;
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => {
      const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
      return [name, isMap(schema) ? fitValue(value, String(schema["type"]).toLowerCase()) : value];
    }),
  );
}

function fitValue(value: unknown, type: string): unknown {
  if (type === "string") return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
  if (typeof value !== "string") return value;
  const parsed = parseJson(type === "boolean" ? value.trim().toLowerCase() : value.trim());
  return parsed !== undefined && typeOf(parsed, type) === type ? parsed : value;
}

function typeOf(value: unknown, wanted: string): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return wanted === "integer" && Number.isInteger(value) ? wanted : "number";
  return value === null ? "null" : typeof value;
}
