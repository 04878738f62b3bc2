import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@voxbus/service";
import { afterAll, expect, test } from "vitest";
import { findBuiltInNames, prefixOf, readServersFile } from "./servers-file.ts";

const directory = mkdtempSync(join(tmpdir(), "voxbus-mcp-"));
afterAll(() => rmSync(directory, { recursive: true }));

function write(content: unknown, name = "servers.json"): string {
  const path = join(directory, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function problemsOf(content: unknown, env: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    readServersFile(write(content), env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("servers file: the usual shape is read, with defaults", () => {
  const { servers, unknown } = readServersFile(
    write({
      mcpServers: {
        notes: { command: "npx", args: ["-y", "notes"], env: { ROOT: "/srv" } },
        home: { type: "sse", url: "http://ha.local/mcp_server/sse", headers: { Authorization: "Bearer x" } },
        web: { url: "https://example.org/mcp" },
      },
    }),
    {},
  );
  expect(unknown).toEqual([]);
  expect(servers.map(({ name, address: { kind } }) => [name, kind])).toEqual([
    ["notes", "stdio"],
    ["home", "sse"],
    ["web", "http"],
  ]);
  expect(servers[0]).toMatchObject({ tools: ["*"], groups: undefined, finishes: [], timeoutMs: 25_000 });
});

test("servers file: references are replaced, and their values are secrets", () => {
  const secret = write("from a file\n", "secret");
  const { servers } = readServersFile(
    write({
      mcpServers: {
        one: { command: "x", args: ["--key=${KEY}"], env: { B: `a-\${file:${secret}}-z` } },
        two: { url: "http://${HOST}:1/", headers: { Authorization: "Bearer ${KEY}" } },
      },
    }),
    { KEY: "k-123", HOST: "h.local" },
  );
  expect(servers[0]?.address).toMatchObject({ args: ["--key=k-123"], env: { B: "a-from a file-z" } });
  expect(servers[0]?.secrets).toEqual(expect.arrayContaining(["k-123", "from a file"]));
  expect(servers[1]?.address).toMatchObject({ headers: { Authorization: "Bearer k-123" } });
  expect(servers[1]?.address).toMatchObject({ url: new URL("http://h.local:1/") });
});

test.each([
  ["${env:KEY}", "k-123"],
  ["${KEY:-other}", "k-123"],
  ["${env:KEY:-other}", "k-123"],
  ["${NONE:-http://h:1/a-b}", "http://h:1/a-b"],
  ["${env:NONE:-}", ""],
  ["${EMPTY:-other}", "other"],
  ["$${KEY} costs 5$ $$ {KEY}", "${KEY} costs 5$ $$ {KEY}"],
  ["$${${KEY}}", "${k-123}"],
])("servers file: the reference %s is read as %s", (given, text) => {
  const env = { KEY: "k-123", EMPTY: "" };
  const { servers } = readServersFile(write({ mcpServers: { one: { command: "x", args: [given] } } }), env);
  expect(servers[0]?.address).toMatchObject({ args: [text] });
  expect(servers[0]?.secrets).toEqual(text.includes("k-123") ? ["k-123"] : []);
});

test.each(["${NAME-x}", "${env:}", "${env: KEY}", "${A:-${KEY}}", "${}", "${KEY:x}"])(
  "servers file: the reference %s is refused with what was expected",
  (given) => {
    const [problem] = problemsOf({ mcpServers: { one: { command: "x", args: [given] } } }, { KEY: "hunter2" });
    expect(problem).toMatch(/^VOXBUS_MCP_FILE: mcpServers\.one\.args\.0: expected \$\{NAME\}, .* as a reference/);
  },
);

test("servers file: every problem is reported at once, with its field and without values", () => {
  const problems = problemsOf(
    {
      mcpServers: {
        both: { command: "x", url: "http://y" },
        neither: {},
        list: [],
        "bad/name": { command: "x" },
        home: {
          url: "ftp://hunter2/",
          headers: { Authorization: "Bearer ${MISSING}", "X-Key": "a${KEY}" },
          groups: { "no group": ["*"] },
          tools: [],
          timeoutMs: 1,
        },
        local: { command: "x", args: ["${file:/nowhere/secret}", "${input:token}", "ok ${KEY}"], cwd: 5 },
      },
    },
    { KEY: "hunter2\nX: y" },
  );
  expect(problems.every((problem) => problem.startsWith("VOXBUS_MCP_FILE: mcpServers."))).toBe(true);
  const short = problems.map((problem) => problem.replace("VOXBUS_MCP_FILE: mcpServers.", ""));
  expect(short).toEqual(
    expect.arrayContaining([
      "both: expected either a command or a url",
      "neither: expected either a command or a url",
      "list: expected an object",
      "bad/name: the name must be 1 to 32 characters of A-Z a-z 0-9 space . _ -",
      "home.headers.Authorization: the environment variable MISSING is not set",
      "home.headers.X-Key: has a character that a header cannot carry",
      "local.args.0: /nowhere/secret cannot be read (ENOENT)",
      "local.args.1: expected ${NAME}, ${NAME:-default} or ${file:/path} as a reference, or $${ for the characters ${",
    ]),
  );
  for (const field of ["home.url: ", "home.groups", "home.tools: ", "home.timeoutMs: ", "local.cwd: "]) {
    expect(short.some((problem) => problem.startsWith(field))).toBe(true);
  }
  expect(problems.join()).not.toContain("hunter2");
});

test("servers file: a file of another kind is refused without quoting it", () => {
  expect(problemsOf("{ secret")).toEqual(["VOXBUS_MCP_FILE: the file is not JSON"]);
  expect(problemsOf({ servers: {} })[0]).toMatch(/mcpServers/);
  expect(problemsOf(" ".repeat(1_100_000))[0]).toMatch(/more than 1048576 bytes/);
  expect(() => readServersFile(join(directory, "none"), {})).toThrow("cannot be read (ENOENT)");
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`s${at}x`, { command: "x" }]));
  expect(problemsOf({ mcpServers: many })[0]).toMatch(/at most 32 servers/);
});

test("servers file: fields of other programs are named and ignored, and a disabled server needs no secrets", () => {
  const { servers, unknown } = readServersFile(
    write({
      mcpServers: {
        one: { command: "x", alwaysAllow: [], autoApprove: [] },
        two: { url: "http://${MISSING}", disabled: true },
      },
    }),
    {},
  );
  expect(unknown).toEqual(["mcpServers.one.alwaysAllow", "mcpServers.one.autoApprove"]);
  expect(servers.map(({ name }) => name)).toEqual(["one"]);
});

test("servers file: two servers whose tools could have the same name are refused", () => {
  const refused = (...names: string[]) =>
    problemsOf({ mcpServers: Object.fromEntries(names.map((name) => [name, { command: "x" }])) });
  expect(refused("a", "a_b")).toEqual([
    'VOXBUS_MCP_FILE: mcpServers.a_b: its tools\' names would begin like those of "a"; rename one of the two',
  ]);
  expect(refused("home assistant", "home.assistant")).toHaveLength(1);
  expect(refused("a", "a-b", "ab")).toEqual([]);
  expect(prefixOf("home assistant")).toBe("home_assistant_");
});

test("servers file: a server's tools that may be named as built-in ones are found", () => {
  expect(findBuiltInNames({ name: "set", tools: ["*"] })).toEqual([
    "set_timer",
    "set_alarm",
    "set_volume",
    "set_brightness",
  ]);
  expect(findBuiltInNames({ name: "set", tools: ["tim*"] })).toEqual(["set_timer"]);
  expect(findBuiltInNames({ name: "home", tools: ["*"] })).toEqual([]);
});
