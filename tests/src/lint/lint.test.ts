import { expect, test } from "vitest";
import { checkImports, readImportLaw } from "./import-law.ts";
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

test("tokens: comments, strings and regular expressions are told apart, each on its line", () => {
  const source = [
    '/** Doc. */ const a = "x // y";',
    "const b = /[\"'`/]/g; // why",
    "const c = `t ${f(`u`)}` / 2 / 3;",
  ];
  const tokens = tokenize(source.join("\n")).filter(({ kind }) => kind !== "code");
  expect(tokens).toEqual([
    { kind: "docstring", text: " Doc. ", line: 1 },
    { kind: "string", text: "x // y", line: 1 },
    { kind: "comment", text: " why", line: 2 },
    { kind: "string", text: "t ${f(`u`)}", line: 3 },
  ]);
});
