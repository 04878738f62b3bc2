import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError, type Command, type Given, type Option, type Options } from "./command.ts";

/** The option of commands whose output programs may read. */
export const jsonOption = { json: { meaning: "print JSON, one value a line" } } as const satisfies Options;

/** The options of every command. */
export const commonOptions = {
  help: { meaning: "print this help" },
} as const satisfies Options;

/** Reads the command line of a command. Throws UsageError that names the parameter or option and says what it takes. */
export function readArguments({ parameters = [], choices, options }: Command, args: readonly string[]): Given<Options> {
  const all: Options = { ...options, ...commonOptions };
  const { values, positionals } = parse(all, args);
  const read = Object.fromEntries(Object.entries(all).map(([name, option]) => [name, readValue(name, option, values)]));
  if (read["help"] !== true) {
    const [first] = positionals;
    if (first !== undefined && choices?.includes(first) === false)
      throw new UsageError(`${parameters[0]} is one of ${choices.join(", ")}, not "${first}".`);
    checkParameters(parameters, positionals);
  }
  return { parameters: positionals, options: read as Given<Options>["options"] };
}

type Values = Readonly<Record<string, string | boolean | undefined>>;

function parse(options: Options, args: readonly string[]): { readonly values: Values; readonly positionals: string[] } {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { value }]) => [name, { type: value === undefined ? "boolean" : "string" }]),
  ) as NonNullable<ParseArgsConfig["options"]>;
  const { values, positionals, tokens } = parseTokens(config, args);
  const given = tokens.flatMap((token) => (token.kind === "option" && token.value !== undefined ? [token.name] : []));
  const twice = given.find((name, at) => given.indexOf(name) < at);
  if (twice !== undefined) {
    const hint = takesList(options[twice]) ? " Separate its values by commas." : "";
    throw new UsageError(`--${twice} is given twice.${hint}`);
  }
  return { values: values as Values, positionals };
}

function parseTokens(options: NonNullable<ParseArgsConfig["options"]>, args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, tokens: true });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const hint = /^Unknown option '(?:-[^-]|[^']* )/.test(message) ? " Put -- before a text that begins with -." : "";
    throw new UsageError(`${message.split(/\.\s/, 1)[0]?.replace(/\.$/, "")}.${hint}`, { cause });
  }
}

function readValue(name: string, option: Option, values: Values) {
  const { value, choices, fallback } = option;
  const given = values[name] ?? fallback;
  if (value === undefined) return given === true;
  if (typeof given !== "string" || choices === undefined) return given;
  const isList = takesList(option);
  const wrong = (isList ? readList(given) : [given]).find((one) => !choices.includes(one));
  if (wrong !== undefined)
    throw new UsageError(`--${name} ${isList ? "takes" : "is one of"} ${choices.join(", ")}, not "${wrong}".`);
  return given;
}

/** True for an option whose value is a list, separated by commas. */
export function takesList(option: Option | undefined): boolean {
  return option?.value?.includes(",") ?? false;
}

/** Splits the value of an option that takes a list. */
export function readList(given: string): readonly string[] {
  return given.split(",").map((one) => one.trim());
}

function checkParameters(names: readonly string[], given: readonly string[]): void {
  const missing = names[given.length];
  if (missing !== undefined && !missing.startsWith("[")) throw new UsageError(`${missing} is missing.`);
  const surplus = given[names.length];
  if (surplus === undefined) return;
  const hint = surplus.includes(" ") || names.length === 0 ? "" : " Put a text with spaces in quotes.";
  throw new UsageError(`Unexpected argument "${surplus}".${hint}`);
}

/** Reads a number from `least` to `most`. Throws UsageError that names both. */
export function readNumber(text: string, option: string, least: number, most: number): number {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  if (number >= least && number <= most) return number;
  throw new UsageError(`${option} is a number from ${least} to ${most}, not "${text}".`);
}
