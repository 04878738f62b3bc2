import { z } from "zod";
import { list } from "./hosts.ts";
import { proxyList } from "./proxies.ts";
import { suggest } from "./suggest.ts";
import { knownVariables } from "./variables.ts";

/** Thrown for an invalid configuration. `problems` has one sentence for each problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join("\n"), options);
    this.problems = problems;
  }
}

/**
 * Throws ConfigError for each pair of variables that contradict each other: a limit must be longer than the one that it
 * contains. Both are in ms.
 */
export function checkLimits<Name extends string>(
  config: Readonly<Record<Name, number>>,
  pairs: readonly (readonly [inner: Name, outer: Name])[],
): void {
  const problems = pairs.flatMap(([inner, outer]) =>
    config[outer] > config[inner]
      ? []
      : [`${outer}: must be longer than ${inner}, which is ${config[inner]} ms; it is ${config[outer]} ms`],
  );
  if (problems.length > 0) throw new ConfigError(problems);
}

/** Runs every check. Throws one ConfigError with the problems of all of them. */
export function checkAll(...checks: readonly (() => unknown)[]): void {
  const problems = checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A switch as an environment variable: `1`, `true`, `0` or `false`. */
export const flag = z.enum(["1", "true", "0", "false"]).transform((value) => value === "1" || value === "true");

/** The log levels, from the least severe to the most severe. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/** The variables of every program. */
export const baseConfig = {
  VOXBUS_LOG_LEVEL: z.enum(logLevels).default("info").describe("lowest severity to log"),
  VOXBUS_LOG_FORMAT: z
    .enum(["json", "pretty", "auto"])
    .default("auto")
    .describe("log format; auto: pretty in a terminal, JSON otherwise"),
  VOXBUS_TRACE_CONTENT: flag.default(false).describe("1: traces include what users say and what is answered"),
  VOXBUS_OPS_HOST: z.string().default("127.0.0.1").describe("address of the operations port: /livez /readyz /metrics"),
  VOXBUS_HOSTS: list.describe(
    "comma-separated host names by which the program may be reached, besides localhost and addresses",
  ),
  VOXBUS_TRUSTED_PROXIES: proxyList.describe(
    "comma-separated addresses and networks (CIDR) of proxies: behind them, the last other address in X-Forwarded-For counts",
  ),
};

/** An HTTP address as an environment variable. Credentials in it are refused: fetch would refuse each request. */
export const httpUrl = z.string().superRefine((value, { addIssue }) => {
  const report = (message: string) => addIssue({ code: "custom", message });
  const { protocol, username, password } = URL.canParse(value) ? new URL(value) : {};
  if (protocol !== "http:" && protocol !== "https:") report("expected an address that begins with http:// or https://");
  else if (username || password) report("expected an address without a user and a password in it");
});

/** The base URL of an OpenAI-compatible API as an environment variable. */
export const apiUrl = httpUrl.refine(
  (value) => !/\/(chat\/completions|completions|audio\/\w+|models)\/?$/.test(value),
  "expected the base URL, as in http://localhost:8000/v1: without the path of one function",
);

/** The part of `gatewayUrl` that stands for the name of a gateway. */
export const gatewayPlace = "{gateway}";

/** The URL to which devices connect, as an environment variable. `{gateway}` in it stands for the name of a gateway. */
export const gatewayUrl = z.string().refine((value) => {
  const url = value.replaceAll(gatewayPlace, "gateway");
  return URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol) && !/[{}]/.test(url);
}, "expected an address that begins with ws:// or wss://; only {gateway} may be in braces");

/** A TCP port as an environment variable; 0 means any free one. */
export const port = z.coerce.number().int().min(0).max(65_535);

/** A schema whose keys are environment variables. */
export type ConfigShape = z.ZodRawShape;

let environment: Readonly<Record<string, string | undefined>> = process.env;

/** Reads a variable that the value of another one names, from the environment that `readConfig` reads. */
export function readVariable(name: string): string | undefined {
  return environment[name] || undefined;
}

/**
 * Reads a program's configuration from environment variables. An empty variable counts as unset. `unknown` lists the
 * `VOXBUS_*` variables that no program has. Throws ConfigError with all problems at once.
 */
export function readConfig<S extends ConfigShape>(
  shape: S,
  env: Readonly<Record<string, string | undefined>>,
): { readonly config: z.infer<z.ZodObject<S>>; readonly unknown: readonly string[] } {
  const given = Object.fromEntries(Object.keys(shape).flatMap((key) => (env[key] ? [[key, env[key]]] : [])));
  environment = env;
  const result = z.object(shape).safeParse(given);
  environment = process.env;
  if (!result.success) {
    throw new ConfigError(
      result.error.issues.map((issue) => {
        const name = issue.path.join(".");
        return `${name || "configuration"}: ${issue.message}${suggestValue(issue, given[name])}`;
      }),
    );
  }
  return { config: result.data, unknown: findUnknown(shape, env) };
}

/** Lists the `VOXBUS_*` variables that are set and that no program has. */
export function findUnknown(shape: ConfigShape, env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const known = new Set([...Object.keys(shape), ...knownVariables]);
  return Object.keys(env).filter((key) => key.startsWith("VOXBUS_") && env[key] && !known.has(key));
}

/** Adds the choice that a wrong value is most like. */
function suggestValue(issue: z.core.$ZodIssue, given: string | undefined): string {
  if (issue.code !== "invalid_value" || given === undefined) return "";
  const meant = suggest(given, issue.values.map(String));
  return meant === undefined ? "" : `. Did you mean ${meant}?`;
}

/** Describes one environment variable for `--help` and the manual. */
export interface Variable {
  readonly name: string;
  /** The description of its schema, and the choices if there is a fixed number of them. */
  readonly meaning: string;
  readonly fallback: unknown;
}

/** Lists a schema's variables in its order, without those that it only refuses. */
export function listVariables(shape: ConfigShape): readonly Variable[] {
  const { properties = {} } = z.toJSONSchema(z.object(shape), { io: "input", unrepresentable: "any" });
  return Object.entries(properties).flatMap(([name, schema]) => {
    const { default: fallback, description = "", enum: choices, not } = schema as Record<string, unknown>;
    if (not !== undefined) return [];
    const values = Array.isArray(choices) ? ` (${choices.join(", ")})` : "";
    return { name, meaning: `${description as string}${values}`, fallback };
  });
}

/** Writes the text of `--help`: each variable with its default in brackets, and its meaning on the next line. */
export function describeConfig(shape: ConfigShape): string {
  return listVariables(shape)
    .map(({ name, meaning, fallback }) => {
      const standard = fallback === undefined ? "" : ` [${JSON.stringify(fallback)}]`;
      return `  ${name}${standard}\n      ${meaning}`;
    })
    .join("\n");
}
