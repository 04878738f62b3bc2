/** How a field of a profile is asked for; `name` may reach into an object, as in `engines.asr`. */
export interface Field {
  readonly name: string;
  readonly kind: "text" | "number" | "area" | "lines";
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
}

/** The fields of a profile, in the order of the form. */
export const fields: readonly Field[] = [
  { name: "language", kind: "text", pattern: "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*" },
  { name: "voice", kind: "text" },
  { name: "timeZone", kind: "text" },
  { name: "group", kind: "text", pattern: "[A-Za-z0-9_\\-]{1,64}" },
  { name: "engines.asr", kind: "text" },
  { name: "engines.tts", kind: "text" },
  { name: "engines.llm", kind: "text" },
  { name: "lead", kind: "number", min: 0, max: 3 },
  { name: "deadlineMs", kind: "number", min: 1000, max: 120_000 },
  { name: "dryMs", kind: "number", min: 1000, max: 60_000 },
  { name: "silenceMs", kind: "number", min: 0, max: 3_600_000 },
  { name: "farewell", kind: "text" },
  { name: "prompt", kind: "area" },
  { name: "wakeWords", kind: "lines" },
];

type Values = Readonly<Record<string, unknown>>;

/** What a profile has in a field, as the form shows it; empty when it has nothing. */
export function readField(profile: Values, { name }: Field): string {
  const value = name.split(".").reduce<unknown>((part, key) => (part as Values | undefined)?.[key], profile);
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.join("\n");
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** The profile that a filled form stands for; empty fields are left out. */
export function readForm(values: ReadonlyMap<string, string>): Values {
  const profile: Record<string, unknown> = {};
  for (const { name, kind } of fields) {
    const text = (values.get(name) ?? "").trim();
    if (text === "") continue;
    const value =
      kind === "number"
        ? Number(text)
        : kind === "lines"
          ? text
              .split("\n")
              .map((line) => line.trim())
              .filter(Boolean)
          : text;
    const [outer = "", inner] = name.split(".");
    profile[outer] = inner === undefined ? value : { ...(profile[outer] as Values | undefined), [inner]: value };
  }
  return profile;
}
