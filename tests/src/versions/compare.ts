import { isDeepStrictEqual } from "node:util";

/** The parts of a JSON Schema that matter to writers and readers of another version. */
export interface Schema {
  readonly type?: string;
  readonly const?: string | number;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema | readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
  readonly propertyNames?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly [limit: string]: unknown;
}

const limits = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "pattern"];
const nothing: Schema = {};

/**
 * Compares two versions of a schema field by field, as docs/bus.md says under "Versions". Lists what breaks a program of the
 * other version, each with its path: a field that is gone, became required or optional, or has another type or limit; a
 * word or a kind of map that is gone. New optional fields, words and kinds of maps are no break.
 */
export function findBreaks(older: Schema, newer: Schema, path = ""): readonly string[] {
  const tell = (what: string) => [`${path || "the whole"}: ${what}`];
  return [
    ...(isDeepStrictEqual([older.type, older.const], [newer.type, newer.const]) ? [] : tell("another type")),
    ...limits.flatMap((limit) => (older[limit] === newer[limit] ? [] : tell(`another ${limit}`))),
    ...(older.enum ?? []).flatMap((word) => (newer.enum?.includes(word) ? [] : tell(`no ${String(word)} any more`))),
    ...(older.enum === undefined && newer.enum !== undefined ? tell("words") : []),
    ...compareFields(older, newer, path),
    ...compareKinds(older, newer, path),
    ...compareInner(older.items, newer.items, `${path}[]`),
    ...compareInner(older.additionalProperties, newer.additionalProperties, `${path}{}`),
    ...compareInner(older.propertyNames, newer.propertyNames, `${path}{key}`),
  ];
}

function compareFields(older: Schema, newer: Schema, path: string): readonly string[] {
  const fields = older.properties ?? {};
  const now = newer.properties ?? {};
  const known = Object.entries(fields).flatMap(([name, field]) => {
    const at = `${path}.${name}`;
    const found = now[name];
    if (found === undefined) return [`${at}: gone`];
    const was = older.required?.includes(name) ?? false;
    const is = newer.required?.includes(name) ?? false;
    return [...(was === is ? [] : [`${at}: ${is ? "now required" : "now optional"}`]), ...findBreaks(field, found, at)];
  });
  const added = (newer.required ?? []).filter((name) => !Object.hasOwn(fields, name));
  return [...known, ...added.map((name) => `${path}.${name}: new, and required`)];
}

/** Compares the kinds of a map that are told apart by a field such as `type`, or by their order. */
function compareKinds(older: Schema, newer: Schema, path: string): readonly string[] {
  const now = kindsOf(newer);
  return kindsOf(older).flatMap((kind, at) => {
    const name = nameKind(kind, at);
    const found = now.find((one, place) => nameKind(one, place) === name);
    return found === undefined ? [`${path}<${name}>: gone`] : findBreaks(kind, found, `${path}<${name}>`);
  });
}

function kindsOf({ oneOf, anyOf }: Schema): readonly Schema[] {
  return oneOf ?? anyOf ?? [];
}

function nameKind({ const: own, properties }: Schema, at: number): string {
  const named = Object.entries(properties ?? {}).find(([, field]) => field.const !== undefined);
  if (named) return `${named[0]} ${named[1].const}`;
  return own === undefined ? `kind ${at}` : String(own);
}

function compareInner(
  older: Schema["items"] | boolean,
  newer: Schema["items"] | boolean,
  path: string,
): readonly string[] {
  if (Array.isArray(older) || Array.isArray(newer)) {
    const [was, is] = [older, newer].map((list) => (Array.isArray(list) ? (list as readonly Schema[]) : []));
    const more = was!.length === is!.length ? [] : [`${path}: another number of elements`];
    return [...more, ...was!.flatMap((item, at) => findBreaks(item, is![at] ?? nothing, `${path}${at}`))];
  }
  if (typeof older === "boolean" || typeof newer === "boolean") return older === newer ? [] : [`${path}: another rule`];
  return older === undefined && newer === undefined
    ? []
    : findBreaks((older as Schema | undefined) ?? nothing, (newer as Schema | undefined) ?? nothing, path);
}
