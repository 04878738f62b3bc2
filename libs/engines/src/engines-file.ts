import { apiUrl, ConfigError, suggest } from "@voxbus/service";
import { z } from "zod";
import { findExtraProblem, type ExtraFields } from "./extra.ts";
import { engineKinds, engineRoles, noEngine, type EngineRole } from "./roles.ts";
import { readKey } from "./key.ts";
import { readText } from "./text-file.ts";

const maxFileBytes = 1_048_576;
/** The most engines of a role. Each has a pool, and a report has room for 16. */
const mostOfRole = 8;

const ms = z.number().int().min(100).max(120_000);
const text = z.string().min(1).max(1024);
const fields = {
  name: z.string().regex(/^[A-Za-z0-9_-]{1,40}$/, "expected 1 to 40 characters of A-Z a-z 0-9 _ -"),
  role: z.enum(engineRoles),
  kind: z.string(),
  url: apiUrl.optional(),
  model: text.optional(),
  voice: text.optional(),
  keyEnv: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, "expected the name of an environment variable")
    .refine((name) => !name.startsWith("OPENAI_"), "expected a name that does not begin with OPENAI_, which is ignored")
    .optional(),
  keyFile: text.optional(),
  extra: z.unknown().optional(),
  firstMs: ms.optional(),
  nextMs: ms.optional(),
  timeoutMs: ms.optional(),
  requests: z.number().int().min(1).max(1000).optional(),
  format: z.enum(["wav", "pcm", "opus"]).optional(),
  sampleRate: z.number().int().min(8000).max(48_000).optional(),
};
const Entry = z.object(fields);
type Field = keyof typeof fields;

/** The fields of an engine in the file. */
export const engineFields = Object.keys(fields) as readonly Field[];

const served = ["url", "model", "keyEnv", "keyFile", "extra", "requests"] as const;
/** The fields that an engine of the kind openai has, by role. Other kinds have a voice at most. */
const ofServers: Readonly<Record<EngineRole, readonly Field[]>> = {
  asr: [...served, "timeoutMs"],
  llm: [...served, "firstMs", "nextMs"],
  tts: [...served, "voice", "firstMs", "nextMs", "format", "sampleRate"],
};

/** One engine of the file. Times in ms. */
export interface EngineEntry extends Omit<z.infer<typeof Entry>, "keyEnv" | "keyFile" | "extra"> {
  /** Only of an engine of the reading program's role. */
  readonly key: string | undefined;
  readonly extra: ExtraFields | undefined;
}

/** The engines of one role. */
export interface EnginesOfRole {
  readonly entries: readonly EngineEntry[];
  /** The engines that are asked where a profile names none, in order; undefined: the one of the variables. */
  readonly usual: readonly string[] | undefined;
}

/** Tells whether a program has an engine that is a server: of the kind that its variable chooses, or in the file. */
export function hasServer(kind: string, file: EnginesOfRole | undefined): boolean {
  return kind === "openai" || (file?.entries.some((entry) => entry.kind === "openai") ?? false);
}

type Problems = string[];
type Values = Readonly<Record<string, unknown>>;

/** Throws ConfigError for each time of an engine that is not shorter than `most` ms, the value of the variable `outer`. */
export function checkEntryTimes(file: EnginesOfRole | undefined, outer: string, most: number): void {
  const problems = (file?.entries ?? []).flatMap((entry) =>
    (["firstMs", "nextMs", "timeoutMs"] as const)
      .filter((field) => (entry[field] ?? 0) >= most)
      .map(
        (field) =>
          `VOXBUS_ENGINES_FILE: engine "${entry.name}": ${field}: must be shorter than ${outer}, which is ${most} ms`,
      ),
  );
  if (problems.length > 0) throw new ConfigError(problems);
}

/** The environment variable for the file of engines. Its value is read, and is the part of one role. */
export function enginesFileVariable(role: EngineRole) {
  return z
    .string()
    .transform((path, { addIssue }): EnginesOfRole => {
      const problems: Problems = [];
      const read = readEnginesFile(path, role, problems);
      for (const message of problems) addIssue({ code: "custom", message });
      return read;
    })
    .optional()
    .describe("path of a JSON file with engines by name, for profiles and for failing over");
}

/** Reads a file of the shape `{"engines": [{…}], "usual": {"llm": ["name", …]}}`. Adds to `problems`, which quote no secret. */
function readEnginesFile(path: string, role: EngineRole, problems: Problems): EnginesOfRole {
  const file = readJson(path, problems);
  if (file === undefined) return { entries: [], usual: undefined };
  checkFields(file, ["engines", "usual"], "", problems);
  const given: unknown = file["engines"] ?? [];
  if (!Array.isArray(given)) problems.push("engines: expected a list of engines");
  const entries = (Array.isArray(given) ? given : []).flatMap((one, at) => readEntry(one, at, role, problems));
  checkNames(entries, problems);
  const usual = readUsual(file["usual"] ?? {}, entries, problems);
  return { entries: entries.filter((entry) => entry.role === role), usual: usual[role] };
}

function readJson(path: string, problems: Problems): Values | undefined {
  const text = readText(path, { field: "", maxBytes: maxFileBytes }, problems);
  if (text === undefined) return undefined;
  try {
    const file: unknown = JSON.parse(text);
    if (isMap(file)) return file;
    problems.push('expected a JSON object with the field "engines"');
  } catch {
    problems.push("the file is not JSON"); // the error's text quotes the file
  }
  return undefined;
}

function readEntry(given: unknown, at: number, role: EngineRole, problems: Problems): readonly EngineEntry[] {
  if (!isMap(given)) {
    problems.push(`engines.${at}: expected an object`);
    return [];
  }
  const name = typeof given["name"] === "string" ? given["name"].slice(0, 64) : "";
  const where = name === "" ? `engines.${at}` : `engine "${name}"`;
  const found: Problems = [];
  if ("key" in given) found.push('key: is not read from this file; name a variable ("keyEnv") or a file ("keyFile")');
  checkFields(given, [...engineFields, "key"], "", found);
  const result = Entry.safeParse(given);
  for (const { path, message } of result.error?.issues ?? []) found.push(`${path.join(".")}: ${message}`);
  if (result.success) found.push(...checkEntry(result.data));
  if (found.length === 0 && result.success) {
    const { keyEnv, keyFile, extra, ...entry } = result.data;
    const key = entry.role === role ? readKey({ keyEnv, keyFile }, found) : undefined;
    if (found.length === 0) return [{ ...entry, key, extra: extra as ExtraFields | undefined }];
  }
  problems.push(...found.map((problem) => `${where}: ${problem}`));
  return [];
}

/** Checks the rules between the fields of an entry. */
function checkEntry(entry: z.infer<typeof Entry>): Problems {
  const { name, role, kind } = entry;
  const kinds: readonly string[] = engineKinds[role];
  if (!kinds.includes(kind))
    return [`kind: expected one of ${kinds.join(", ")} for the role ${role}${askFor(kind, kinds)}`];
  const problems: Problems = [];
  if (reservedNames.includes(name)) problems.push(`name: expected another one, this is the name of a built-in engine`);
  const allowed = kind === "openai" ? ofServers[role] : role === "tts" ? (["voice"] as const) : [];
  const own: readonly string[] = ["name", "role", "kind", ...allowed];
  const foreign = engineFields.filter((field) => entry[field] !== undefined && !own.includes(field));
  problems.push(...foreign.map((field) => `${field}: does not apply to the kind ${kind} of the role ${role}`));
  if (kind === "openai" && entry.model === undefined) problems.push("model: expected the name of a model");
  if (entry.keyEnv !== undefined && entry.keyFile !== undefined) problems.push("keyEnv, keyFile: expected one of them");
  if (entry.format === "pcm" && entry.sampleRate === undefined)
    problems.push("format: pcm does not name its rate, set sampleRate (Hz)");
  const extra = entry.extra === undefined ? undefined : findExtraProblem(role, entry.extra);
  if (extra !== undefined) problems.push(`extra: ${extra}`);
  return problems;
}

const reservedNames: readonly string[] = [...new Set(Object.values(engineKinds).flat()), noEngine];

function checkNames(entries: readonly EngineEntry[], problems: Problems): void {
  const names = entries.map(({ name }) => name);
  for (const name of new Set(names.filter((name, at) => names.indexOf(name) !== at)))
    problems.push(`engine "${name}": name: is used twice`);
  for (const role of engineRoles) {
    const count = entries.filter((entry) => entry.role === role).length;
    if (count > mostOfRole) problems.push(`engines: expected at most ${mostOfRole} of the role ${role}, got ${count}`);
  }
}

/** Reads the usual engines of each role. Every name must be that of an engine of the role. */
function readUsual(
  given: unknown,
  entries: readonly EngineEntry[],
  problems: Problems,
): Readonly<Partial<Record<EngineRole, readonly string[]>>> {
  if (!isMap(given)) {
    problems.push('usual: expected an object of lists, such as {"llm": ["local", "embedded"]}');
    return {};
  }
  checkFields(given, engineRoles, "usual.", problems);
  const usual: Partial<Record<EngineRole, readonly string[]>> = {};
  for (const role of engineRoles) {
    if (given[role] === undefined) continue;
    const list = z.array(z.string()).min(1).max(mostOfRole).safeParse(given[role]);
    if (!list.success) {
      problems.push(`usual.${role}: expected a list of 1 to ${mostOfRole} names of engines`);
      continue;
    }
    const known = [...engineKinds[role], ...entries.filter((entry) => entry.role === role).map(({ name }) => name)];
    for (const [at, name] of list.data.entries()) {
      if (!known.includes(name))
        problems.push(`usual.${role}: there is no engine "${name.slice(0, 64)}"${askFor(name, known)}`);
      else if (list.data.indexOf(name) !== at) problems.push(`usual.${role}: the engine "${name}" is named twice`);
    }
    usual[role] = list.data;
  }
  return usual;
}

function checkFields(given: Values, known: readonly string[], prefix: string, problems: Problems): void {
  for (const field of Object.keys(given)) {
    if (!known.includes(field)) problems.push(`${prefix}${field.slice(0, 64)}: is not a field${askFor(field, known)}`);
  }
}

/** Asks for the word that a wrong one stands for. Empty if none is like it. */
function askFor(wrong: string, words: readonly string[]): string {
  const meant = suggest(wrong, words);
  return meant === undefined ? "" : `. Did you mean ${meant}?`;
}

function isMap(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
