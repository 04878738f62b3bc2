import { readFileSync, statSync } from "node:fs";
import { builtInTools, matchesAny } from "@voxbus/protocol";
import { ConfigError, httpUrl } from "@voxbus/subscriber";
import { z } from "zod";
import { resolveReferences } from "./references.ts";

const maxFileBytes = 1_048_576;
const maxServers = 32;

const text = z.string().max(16_384);
const Patterns = z.array(z.string().min(1).max(128)).min(1).max(256);
const Group = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 characters of A-Z a-z 0-9 _ -");
const Header = text.regex(/^[\t\x20-\x7e\x80-\xff]*$/, "has a character that a header cannot carry");

const common = {
  disabled: z.boolean().default(false),
  tools: Patterns.default(["*"]),
  groups: z
    .union([z.array(Group).min(1).max(32), z.record(Group, Patterns)], "expected a list of groups, or tools by group")
    .refine((groups) => Array.isArray(groups) || (Object.keys(groups).length > 0 && Object.keys(groups).length <= 32), {
      message: "must have 1 to 32 groups",
    })
    .optional(),
  finishes: Patterns.optional(),
  timeoutMs: z.number().int().min(100).max(110_000).default(25_000),
};
const StdioServer = z.object({
  type: z.literal("stdio").default("stdio"),
  command: text.min(1),
  args: z.array(text).max(256).default([]),
  env: z.record(z.string().regex(/^[A-Za-z_]\w*$/, "must be the name of a variable"), text).default({}),
  cwd: text.optional(),
  ...common,
});
const RemoteServer = z.object({
  type: z.enum(["http", "streamable-http", "streamableHttp", "sse"]).default("http"),
  url: httpUrl,
  headers: z
    .record(z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,256}$/, "must be the name of a header"), Header)
    .default({}),
  ...common,
});

/** The fields of a server in the file: of one that is a process, and of one that is reached over HTTP. */
export const serverFields = { local: Object.keys(StdioServer.shape), remote: Object.keys(RemoteServer.shape) } as const;

/** How a server is reached. */
export type ServerAddress =
  | {
      readonly kind: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string | undefined;
    }
  | { readonly kind: "http" | "sse"; readonly url: URL; readonly headers: Readonly<Record<string, string>> };

/** One server of the file. */
export interface ServerSettings {
  readonly name: string;
  readonly address: ServerAddress;
  /** Patterns of the tools that are offered. */
  readonly tools: readonly string[];
  /** Patterns of the tools that each group is offered. Undefined: every device is offered all of `tools`. */
  readonly groups: Readonly<Record<string, readonly string[]>> | undefined;
  /** Patterns of the tools whose calls are not canceled once they have begun. */
  readonly finishes: readonly string[];
  /** Longest time of a call, ms. */
  readonly timeoutMs: number;
  /** Values that must not be shown: those of references, headers and environment variables. */
  readonly secrets: readonly string[];
}

/** The servers of a file, and the paths of fields that mean nothing here. */
export interface ServersFile {
  readonly servers: readonly ServerSettings[];
  readonly unknown: readonly string[];
}

/**
 * Reads a file of the shape `{"mcpServers": {"name": {…}}}` and resolves the references in it. Throws ConfigError with all
 * problems at once, each with the path of its field and without values.
 */
export function readServersFile(path: string, env: Readonly<Record<string, string | undefined>>): ServersFile {
  const servers = readServers(path);
  const problems: string[] = [];
  const unknown: string[] = [];
  const read = Object.entries(servers).flatMap(([name, given]) => {
    const at = `mcpServers.${name}`;
    if (!/^[A-Za-z0-9 ._-]{1,32}$/.test(name)) {
      problems.push(`${at.slice(0, 100)}: the name must be 1 to 32 characters of A-Z a-z 0-9 space . _ -`);
    }
    const one = readServer(name, given, env);
    problems.push(...one.problems.map((problem) => `${at}${problem}`));
    unknown.push(...one.unknown.map((field) => `${at}.${field}`));
    return one.settings === undefined ? [] : [one.settings];
  });
  problems.push(...findSharedPrefixes(Object.keys(servers)));
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `VOXBUS_MCP_FILE: ${problem}`));
  return { servers: read, unknown };
}

/** The beginning of the bus names of a server's tools. */
export function prefixOf(server: string): string {
  return `${server.replaceAll(/[^A-Za-z0-9_-]/g, "_")}_`;
}

/** Gives the names of built-in tools that tools of a server may have on the bus. Dialogue then offers neither. */
export function findBuiltInNames({ name: server, tools }: Pick<ServerSettings, "name" | "tools">): readonly string[] {
  const prefix = prefixOf(server);
  return builtInTools.filter((name) => name.startsWith(prefix) && matchesAny(name.slice(prefix.length), tools));
}

function readServers(path: string): Readonly<Record<string, unknown>> {
  const fail = (problem: string) => new ConfigError([`VOXBUS_MCP_FILE: ${problem}`]);
  let parsed: unknown;
  try {
    if (statSync(path).size > maxFileBytes) throw fail(`the file has more than ${maxFileBytes} bytes`);
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // The text of a syntax error quotes the file, which may hold secrets.
    if (error instanceof SyntaxError) throw fail("the file is not JSON");
    throw fail(`the file cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`);
  }
  const servers: unknown = isMap(parsed) ? parsed["mcpServers"] : undefined;
  if (!isMap(servers)) throw fail("expected an object with the field mcpServers, an object of servers by name");
  if (Object.keys(servers).length > maxServers) throw fail(`mcpServers: at most ${maxServers} servers`);
  return servers;
}

interface ReadServer {
  readonly settings?: ServerSettings | undefined;
  readonly problems: readonly string[];
  readonly unknown: readonly string[];
}

function readServer(name: string, given: unknown, env: Readonly<Record<string, string | undefined>>): ReadServer {
  if (!isMap(given)) return { problems: [": expected an object"], unknown: [] };
  const isRemote = given["url"] !== undefined;
  if (isRemote === (given["command"] !== undefined)) {
    return { problems: [": expected either a command or a url"], unknown: [] };
  }
  const schema = isRemote ? RemoteServer : StdioServer;
  const known = serverFields[isRemote ? "remote" : "local"];
  const unknown = Object.keys(given).filter((field) => !known.includes(field));
  // A server that is not used needs no secrets.
  if (given["disabled"] === true) return { problems: [], unknown };
  const { value, secrets, problems } = resolveAll(given, env);
  const result = schema.safeParse(value);
  const reported = new Set(problems.map(({ path }) => path));
  const invalid = (result.error?.issues ?? []).flatMap(({ path, message }) => {
    const field = path.map((part) => `.${String(part)}`).join("");
    return reported.has(field) ? [] : [{ path: field, problem: message }];
  });
  const all = [...problems, ...invalid].map(({ path, problem }) => `${path}: ${problem}`);
  if (!result.success || all.length > 0) return { problems: all, unknown };
  return { settings: toSettings(name, result.data, secrets), problems: [], unknown };
}

function toSettings(
  name: string,
  server: z.infer<typeof StdioServer> | z.infer<typeof RemoteServer>,
  references: readonly string[],
): ServerSettings {
  const { tools, groups, finishes = [], timeoutMs } = server;
  const isLocal = "command" in server;
  const values = isLocal ? Object.values(server.env) : Object.values(server.headers);
  return {
    name,
    address: isLocal
      ? { kind: "stdio", command: server.command, args: server.args, env: server.env, cwd: server.cwd }
      : { kind: server.type === "sse" ? "sse" : "http", url: new URL(server.url), headers: server.headers },
    tools,
    groups: Array.isArray(groups) ? Object.fromEntries(groups.map((group) => [group, ["*"]])) : groups,
    finishes,
    timeoutMs,
    secrets: [...new Set([...references, ...values])],
  };
}

interface FieldProblem {
  readonly path: string;
  readonly problem: string;
}

/** Resolves the references in the fields that say how a server is reached. */
function resolveAll(given: Readonly<Record<string, unknown>>, env: Readonly<Record<string, string | undefined>>) {
  const secrets: string[] = [];
  const problems: FieldProblem[] = [];
  const resolve = (value: unknown, path: string): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => resolve(item, `${path}.${index}`));
    if (isMap(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, `${path}.${key}`)]));
    }
    if (typeof value !== "string") return value;
    const resolved = resolveReferences(value, env);
    if ("problem" in resolved) {
      problems.push({ path, problem: resolved.problem });
      return value;
    }
    secrets.push(...resolved.secrets);
    return resolved.text;
  };
  const addressed = ["command", "args", "env", "cwd", "url", "headers"];
  const value = Object.fromEntries(
    Object.entries(given).map(([field, item]) => [
      field,
      addressed.includes(field) ? resolve(item, `.${field}`) : item,
    ]),
  );
  return { value, secrets, problems };
}

/** Finds servers whose tools could get the same names on the bus: the prefix of one begins with that of another. */
function findSharedPrefixes(names: readonly string[]): readonly string[] {
  return names.flatMap((name, index) => {
    const other = names.find((one, at) => at !== index && prefixOf(name).startsWith(prefixOf(one)));
    const isTwin = other !== undefined && prefixOf(other) === prefixOf(name);
    if (other === undefined || (isTwin && names.indexOf(other) > index)) return [];
    return [`mcpServers.${name}: its tools' names would begin like those of "${other}"; rename one of the two`];
  });
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
