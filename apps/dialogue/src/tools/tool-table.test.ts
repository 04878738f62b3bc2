import type { ServiceInfo } from "@voxbus/bus";
import { silentLog } from "@voxbus/testing";
import { expect, test, vi } from "vitest";
import type { SkippedTool } from "./bus-tool.ts";
import { createToolTable } from "./tool-table.ts";

const schema = '{"type":"object"}';

/** The answer of a program with tools, by their names and metadata. */
function service(
  id: string,
  tools: Readonly<Record<string, Readonly<Record<string, string>>>>,
  rest: { readonly [field in "name" | "version" | "group" | "subject"]?: string } = {},
): ServiceInfo {
  const { name: program = "test", version = "1.0.0", group = "q" } = rest;
  const endpoints = Object.entries(tools).map(([name, metadata]) => ({
    name,
    subject: rest.subject ?? `tool.${name}`,
    queue_group: group,
    metadata: { voxbus: "tool", description: `does ${name}`, schema, ...metadata },
  }));
  return { type: "io.nats.micro.v1.info_response", name: program, id, version, endpoints };
}

function numbers(from: number, count: number) {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`t${String(from + at).padStart(4, "0")}`, {}]));
}

function createTable() {
  const reported: SkippedTool[] = [];
  const lost: [name: string, others: number][] = [];
  const warnings: string[] = [];
  const table = createToolTable({
    log: { ...silentLog, warn: (_, message) => warnings.push(message) },
    onSkipped: (tool) => reported.push(tool),
    onLost: (...tool) => lost.push(tool),
  });
  const names = (profile: { tools?: string[]; group?: string; groups?: string[] } = {}) =>
    table.offeredTo(profile).map(({ name }) => name);
  return { ...table, names, reported, lost, warnings };
}

test("tool table: a device is offered what its profile allows and its group may have", () => {
  const table = createTable();
  table.found(service("1", { a: {}, b: { scope: "hall, lab" }, c: { scope: "lab" } }));
  expect(table.names()).toEqual(["a"]);
  expect(table.names({ group: "hall" })).toEqual(["a", "b"]);
  expect(table.names({ group: "lab" })).toEqual(["a", "b", "c"]);
  expect(table.names({ group: "attic", groups: ["hall"] })).toEqual(["a", "b"]);
  expect(table.names({ group: "lab", tools: ["b", "c*"] })).toEqual(["b", "c"]);
  expect(table.names({ tools: [] })).toEqual([]);
});

test("tool table: two programs with a tool are one tool, of the newest version; it stays until both are gone", () => {
  const table = createTable();
  table.found(service("2", { a: { description: "new" } }, { version: "1.10.0" }));
  table.found(service("1", { a: { description: "old" } }, { version: "1.9.0" }));
  expect(table.offeredTo({})).toMatchObject([{ name: "a", description: "new" }]);
  const foundAt = table.list().find(({ service }) => service.id === "1")?.seenAt;
  table.found(service("1", { a: { description: "old" } }, { version: "1.9.1" }));
  table.lose("2");
  expect(table.offeredTo({})).toMatchObject([{ name: "a", description: "old" }]);
  expect(table.lost).toEqual([["a", foundAt]]);
  table.lose("1");
  expect([...table.toolNames()]).toHaveLength(0);
  expect(table.lost[1]).toEqual(["a", Infinity]);
});

test("tool table: a program that changes its tools, or ends one, changes the list", () => {
  const table = createTable();
  table.found(service("1", { a: {}, b: {} }));
  table.found(service("1", { b: { description: "better" }, c: {} }));
  expect(table.offeredTo({}).map(({ name, description }) => [name, description])).toEqual([
    ["b", "better"],
    ["c", "does c"],
  ]);
  table.ended("1", "b");
  table.ended("2", "c");
  expect(table.names()).toEqual(["c"]);
  expect(table.lost).toEqual([]);
  table.found(service("1", { b: { description: "better" }, c: {} }));
  expect(table.names()).toEqual(["b", "c"]);
  table.unanswered("c");
  expect(table.names()).toEqual([]);
  table.found(service("3", { a: {} }));
  table.found(service("3", {}));
  expect(table.names()).toEqual([]);
});

test.each([
  ["a name with a space", { "a b": {} }, {}, { reason: "name", field: "name" }],
  ["a subject of its own", { a: {} }, { subject: "device.x.out" }, { reason: "name", field: "subject" }],
  ["no description", { a: { description: "" } }, {}, { reason: "metadata", field: "description" }],
  [
    "an oversized description",
    { a: { description: "x".repeat(5000) } },
    {},
    { reason: "metadata", field: "description" },
  ],
  [
    "an oversized schema",
    { a: { schema: `{"type":"object","title":"${"x".repeat(17_000)}"}` } },
    {},
    { reason: "metadata", field: "schema" },
  ],
  ["a schema that is not JSON", { a: { schema: "{" } }, {}, { reason: "schema", field: "schema" }],
  ["a time that is not a number", { a: { timeoutMs: "soon" } }, {}, { reason: "metadata", field: "timeoutMs" }],
  ["a scope of no group", { a: { scope: "a b" } }, {}, { reason: "metadata", field: "scope.0" }],
])("tool table: a tool with %s is skipped and reported once, the others stay", (_, tools, rest, skip) => {
  const table = createTable();
  const bad = service("1", tools, rest);
  table.found(bad);
  table.found({ ...bad, id: "2" });
  table.found(service("3", { good: {} }));
  expect(table.names()).toEqual(["good"]);
  expect(table.skipped()).toMatchObject([{ ...skip, publisher: "test", count: 1 }]);
  table.found(service("1", { good: {} }));
  table.found(service("2", { good: {} }));
  expect(table.names()).toEqual(["good"]);
  expect(table.skipped()).toEqual([]);
  expect(table.reported).toMatchObject([skip]);
  expect(table.warnings).toEqual(["tool skipped"]);
});

test("tool table: a tool of two groups, which would both make a call, is not offered until one of them is gone", () => {
  const table = createTable();
  table.found(service("1", { a: {} }));
  table.found(service("2", { a: {}, b: {} }, { group: "mine" }));
  expect(table.names()).toEqual(["b"]);
  expect(table.reported).toMatchObject([{ name: "a", reason: "group" }]);
  table.lose("2");
  expect(table.names()).toEqual(["a"]);
});

test("tool table: a tool that a program offers twice is not offered", () => {
  const table = createTable();
  const { endpoints, ...rest } = service("1", { a: {}, b: {} });
  table.found({ ...rest, endpoints: [...endpoints!, endpoints![0]!] });
  expect(table.names()).toEqual(["b"]);
  expect(table.reported).toEqual([
    { program: "test", name: "a", reason: "name", field: "name", problem: "must be offered by one endpoint" },
  ]);
  table.found(service("1", { a: {}, b: {} }));
  expect(table.names()).toEqual(["a", "b"]);
});

test("tool table: a tool of two programs, whose calls either could get, is not offered until one of them is gone", () => {
  const table = createTable();
  table.found(service("1", { set_timer: {} }, { name: "tools" }));
  table.found(service("2", { set_timer: {}, b: {} }, { name: "mcp", version: "2.0.0" }));
  expect(table.names()).toEqual(["b"]);
  expect(table.reported).toMatchObject([
    { name: "set_timer", reason: "program", problem: "is offered by tools and by mcp" },
    { name: "set_timer", reason: "program" },
  ]);
  table.lose("2");
  expect(table.names()).toEqual(["set_timer"]);
});

test("tool table: of 200 tools 64 are offered, and of 3,000 1,024 are known, 256 of a program", () => {
  const table = createTable();
  table.found(service("1", numbers(0, 1000)));
  expect([...table.toolNames()]).toHaveLength(256);
  expect(table.names()).toHaveLength(64);
  expect(table.names({ tools: ["t0255", "t01*"] })).toHaveLength(64);
  expect(table.names({ tools: ["t0255", "t010*"] })).toContain("t0255");
  for (let at = 1; at <= 10; at += 1) table.found(service(`2${at}`, numbers(at * 1000, 200), { name: `other-${at}` }));
  expect([...table.toolNames()]).toHaveLength(1024);
  expect(table.reported.length).toBeLessThanOrEqual(1024);
});

test("tool table: a program with very many tools, or large ones, leaves room for those of others", () => {
  const table = createTable();
  const large = { schema: JSON.stringify({ type: "object", description: "x".repeat(15_000) }) };
  table.found(service("1", { a1: large, a2: large, a3: large, a4: large, a5: large, a6: large }));
  table.found(service("2", numbers(0, 1000), { name: "many" }));
  table.found(service("3", { x: {}, y: {}, z: {} }, { name: "tools" }));
  const offered = table.offeredTo({});
  expect(offered.length).toBeLessThanOrEqual(64);
  expect(offered.map(({ program }) => program)).toEqual(expect.arrayContaining(["test", "many", "tools"]));
  expect(offered.map(({ name }) => name)).toEqual(expect.arrayContaining(["a1", "x", "y", "z"]));
  const schemas = offered.map(({ inputSchema }) => JSON.stringify(inputSchema).length);
  expect(schemas.reduce((sum, length) => sum + length)).toBeLessThanOrEqual(65_536);
  expect(table.warnings).toContain("tools left out, too many for a model");
});

test("tool table: the answers of 1,000 programs are put together once", () => {
  const table = createTable();
  const began = process.cpuUsage();
  for (let at = 0; at < 1000; at += 1) table.found(service(`${at}`, numbers(0, 20)));
  expect([...table.toolNames()]).toHaveLength(20);
  expect(process.cpuUsage(began).user).toBeLessThan(2_000_000);
});

test("tool table: an answer without a change costs no reading", () => {
  const table = createTable();
  const info = service("1", { a: {} });
  table.found(info);
  const [before] = table.list();
  const seen = before?.seenAt ?? 0;
  vi.spyOn(performance, "now").mockReturnValueOnce(seen + 5);
  table.found(info);
  expect(table.list()).toEqual([before]);
  expect(before?.seenAt).toBe(seen + 5);
});
