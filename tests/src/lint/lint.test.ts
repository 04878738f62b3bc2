import { expect, test } from "vitest";
import { checkDialect } from "./dialect.ts";
import { checkExports } from "./exports.ts";
import { checkImportOrder } from "./imports.ts";
import { checkImports, readImportLaw } from "./import-law.ts";
import { checkParameterObjects } from "./parameter-objects.ts";
import { tokenize } from "./tokens.ts";

const law = readImportLaw(`<!-- table: import law -->

| package | may import |
| --- | --- |
| \`libs/bus\` | \`protocol\`, \`@nats-io/*\` |
| \`libs/protocol\` | no package of ours |
| \`apps/gateway\` | \`bus\`, \`ws\` |
| \`examples/*\` | \`protocol\` |
`);

test.each([
  ["libs/bus/src/a.ts", "@voxbus/protocol", undefined],
  ["libs/bus/src/nats/a.ts", "../connect.ts", undefined],
  ["libs/bus/src/a.ts", "@nats-io/jetstream", undefined],
  ["libs/bus/src/a.ts", "node:fs", undefined],
  ["libs/protocol/src/a.test.ts", "@voxbus/bus", undefined],
  ["examples/echo/src/a.ts", "@voxbus/protocol", undefined],
  ["libs/protocol/src/a.ts", "@voxbus/bus", "libs/protocol may not import it"],
  ["libs/protocol/src/a.test.ts", "ws", "libs/protocol may not import it"],
  ["apps/gateway/src/a.ts", "@voxbus/testing", "apps/gateway may not import it"],
  ["apps/gateway/src/a.ts", "@nats-io/jetstream", "apps/gateway may not import it"],
  ["apps/gateway/src/a.ts", "@voxbus/bus/dist/connect.js", "reaches into a package"],
  ["apps/gateway/src/a.ts", "../../../libs/bus/src/connect.ts", "leaves its package"],
  ["apps/asr/src/a.ts", "@voxbus/bus", "apps/asr may not import it"],
])("import law: %s and %s", (file, specifier, problem) => {
  const texts = ["import a from", "import", "export * from", "await import("].map((form) => `${form} "${specifier}"`);
  const findings = checkImports([{ file, text: texts.join("\n") }], law);
  expect(findings.map(({ line }) => line)).toEqual(problem === undefined ? [] : [1, 2, 3, 4]);
  for (const finding of findings) expect(finding.problem).toContain(problem);
});

test("import order: node: comes first, then packages, then own files", () => {
  const text =
    'import "./a.ts";\nimport {\n  b,\n} from "b";\nexport * from "c";\nimport d from "node:d";\nawait import("e");';
  expect(checkImportOrder([{ file: "a.ts", text }]).map(({ line }) => line)).toEqual([4, 6]);
  const ordered = 'import a from "node:a";\nimport type { B } from "b";\nimport { c } from "./c.ts";';
  expect(checkImportOrder([{ file: "a.ts", text: ordered }])).toEqual([]);
});

test("exports: functions are declarations", () => {
  const find = (text: string) => checkExports([{ file: "a.ts", text }]).map(({ line }) => line);
  expect(find("\nexport const a = (b: number): string => `${b}`;")).toEqual([2]);
  expect(find("export const a: (b: number) => string = async (b) => {};")).toEqual([1]);
  expect(find("export const a = b => b;")).toEqual([1]);
  expect(
    find("export const a = ([1, 2] as const).map((b) => b);\nexport const c = 1;\nexport function d() {}"),
  ).toEqual([]);
});

test("tokens: comments, strings and regular expressions are told apart, each on its line", () => {
  const source = [
    '/** Doc. */ const a = "x // y";',
    "const b = /[\"'`/]/g; // why",
    "const c = `t ${f(`u`)}` / 2 / 3;",
  ];
  const tokens = tokenize(source.join("\n")).filter(({ kind }) => kind !== "code");
  expect(tokens.map(({ kind, text, line }) => ({ kind, text, line }))).toEqual([
    { kind: "docstring", text: " Doc. ", line: 1 },
    { kind: "string", text: "x // y", line: 1 },
    { kind: "comment", text: " why", line: 2 },
    { kind: "string", text: "t ${f(`u`)}", line: 3 },
  ]);
});

const findDialect = (file: string, text: string) =>
  checkDialect([{ file, text }]).map(({ line, problem }) => [line, problem]);

test.each([
  ["/** What it does. */", 'docstring begins with "What"'],
  ["/**\n * Whether it runs.\n */", 'docstring begins with "Whether"'],
  ["// there is none of it", '"is none"'],
  ["/* so\n * many */", '"so many"'],
  ["const a = 'nobody is here';", '"nobody"'],
  ['log.info({ a }, "the door is open")', "begins like a sentence"],
  ['this.#log.warn({ err: f(a, "b c") }, "Door opened")', "begins like a sentence"],
  ['log.error(a ? "door opened." : "x")', "has the punctuation of a sentence"],
  ['log.error("door was opened")', 'has a clause with "was"'],
  ["log.error(`door ${a} opened`)", "holds a value"],
])("dialect: %s is found", (text, problem) => {
  expect(findDialect("a.ts", text)).toEqual([[1, expect.stringContaining(problem)]]);
});

test.each([
  "/** Opens the door. */ // What for",
  'const a = "nobody"; const b = /is none/;',
  'log.info({ a: "The door is." }, "NATS consumer unavailable, retrying")',
  'show("The door is open.")',
])("dialect: %s is accepted", (text) => {
  expect(findDialect("a.ts", text)).toEqual([]);
});

test("dialect: of a document only the prose counts", () => {
  const page = "One, `is none`.\n```\nso many\n```\nTwo of\nwhich three.\n";
  expect(findDialect("a.md", page)).toEqual([[5, expect.stringContaining('"of which"')]]);
});

test("parameter objects: one with more than eight members is found, by its name or in a parameter list", () => {
  const members = (count: number) => Array.from({ length: count }, (_, i) => `a${i}: { b: 1; c: 2 };`).join("\n");
  const find = (text: string) => checkParameterObjects([{ file: "libs/a/src/a.ts", text }]).map(({ line }) => line);
  expect(find(`\ninterface AOptions {\n${members(9)} }`)).toEqual([2]);
  expect(find(`function f(\n a: { ${members(9)} }) {}`)).toEqual([2]);
  expect(find(`interface AOptions {\n${members(8)} }\ninterface Message {\n${members(20)} }`)).toEqual([]);
});
