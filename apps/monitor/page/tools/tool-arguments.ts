/** An argument of a tool. `json` is one that a form cannot show: its value is typed as JSON. */
export interface Argument {
  readonly name: string;
  readonly kind: "text" | "number" | "choice" | "json";
  readonly isRequired: boolean;
  readonly isInteger: boolean;
  readonly description?: string | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  /** The values of a choice. */
  readonly options: readonly unknown[];
}

/** An argument that is not valid JSON. The message is its name. */
export class BadArgumentError extends Error {
  override readonly name = "BadArgumentError";
}

type Map = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is Map => typeof value === "object" && value !== null && !Array.isArray(value);

/** Describes the arguments of a tool. A device may have sent any schema: what is not one of an object has no arguments. */
export function describeArguments(inputSchema: Map): readonly Argument[] {
  const { properties, required } = inputSchema;
  if (!isMap(properties)) return [];
  return Object.entries(properties).map(([name, found]) => {
    const { type, enum: values, description, minimum, maximum } = isMap(found) ? found : {};
    const options: readonly unknown[] = Array.isArray(values) ? values : type === "boolean" ? [true, false] : [];
    return {
      name,
      kind: kindOf(type, options),
      isRequired: Array.isArray(required) && required.includes(name),
      isInteger: type === "integer",
      description: typeof description === "string" ? description : undefined,
      minimum: typeof minimum === "number" ? minimum : undefined,
      maximum: typeof maximum === "number" ? maximum : undefined,
      options,
    };
  });
}

function kindOf(type: unknown, options: readonly unknown[]): Argument["kind"] {
  if (options.length > 0) return "choice";
  if (type === "integer" || type === "number") return "number";
  return type === "string" ? "text" : "json";
}

/** Reads the arguments from what was typed, by name. Those without a value are left out. Throws BadArgumentError. */
export function readArguments(all: readonly Argument[], typed: (name: string) => string): Map {
  return Object.fromEntries(
    all.flatMap(({ name, kind }) => {
      const text = typed(name);
      if (text === "") return [];
      return [[name, kind === "text" ? text : kind === "number" ? Number(text) : parse(name, text)]];
    }),
  );
}

// The options of a choice are JSON too, since they may have several types.
function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BadArgumentError(name, { cause });
  }
}
