import { isMap } from "@voxbus/subscriber";

type Schema = Readonly<Record<string, unknown>>;

const types = ["object", "array", "string", "number", "integer", "boolean", "null"];
/** The names that programs have for types. */
const otherNames: Readonly<Record<string, string>> = {
  int: "integer", long: "integer", float: "number", double: "number", bool: "boolean", str: "string",
  text: "string", list: "array", dict: "object", map: "object",
}; // prettier-ignore
const topLevelOnly = ["oneOf", "anyOf", "allOf", "enum", "not", "$schema"];
/** The keywords that are schemas, or lists of schemas. */
const nested = ["additionalProperties", "anyOf", "oneOf", "allOf", "not"];

/** Makes a schema of a tool's arguments that strict servers accept: an object's, without malformed keywords. */
export function repairToolSchema(given: Schema): Schema {
  const isObjects = given["type"] === undefined || [given["type"]].flat().includes("object");
  const schema = repair(isObjects ? { ...given, type: "object" } : {});
  const kept = Object.entries(schema).filter(([keyword]) => !topLevelOnly.includes(keyword));
  return { properties: {}, ...Object.fromEntries(kept), type: "object" };
}

/** Repairs the schema of a value. A property that is only the name of a type is that type. */
function repairValue(given: unknown): Schema {
  return typeof given === "string" ? repair({ type: given }) : isMap(given) ? repair(given) : {};
}

function repair(given: Schema): Schema {
  const { type: _type, properties, required, items, enum: values, ...others } = given;
  const rest = Object.entries(others)
    .filter(([keyword, value]) => value !== null || keyword === "default" || keyword === "const")
    .flatMap(([keyword, value]): [string, unknown][] => {
      if (keyword === "description" || keyword === "title") return typeof value === "string" ? [[keyword, value]] : [];
      if (!nested.includes(keyword)) return [[keyword, value]];
      if (Array.isArray(value)) return value.length > 0 ? [[keyword, value.map(repairValue)]] : [];
      return [[keyword, typeof value === "boolean" ? value : repairValue(value)]];
    });
  const type = repairType(given["type"]);
  const fields = isMap(properties)
    ? Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, repairValue(field)]))
    : undefined;
  const names = Array.isArray(required) && fields ? required.filter((name) => Object.hasOwn(fields, String(name))) : [];
  return {
    ...Object.fromEntries(rest),
    ...(type !== undefined && { type }),
    ...(fields && { properties: fields }),
    ...(names.length > 0 && { required: names }),
    ...([type].flat().includes("array") || isMap(items) ? { items: repairValue(items) } : {}),
    ...(Array.isArray(values) && values.length > 0 && { enum: values }),
  };
}

/** Repairs the name of a type, or a list of them; undefined if there is no known one. */
function repairType(type: unknown): unknown {
  const named = [type].flat().flatMap((one): string[] => {
    const name = String(one).toLowerCase();
    const known = otherNames[name] ?? name;
    return types.includes(known) ? [known] : [];
  });
  return Array.isArray(type) && named.length > 1 ? named : named[0];
}
