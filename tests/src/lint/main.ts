import { checkDialect } from "./dialect.ts";
import { checkExports } from "./exports.ts";
import { checkImportOrder } from "./imports.ts";
import { checkImports, readImportLaw } from "./import-law.ts";
import { checkParameterObjects } from "./parameter-objects.ts";
import { packageOf, readSources, type Finding } from "./sources.ts";

const examples = "tests/src/lint/lint.test.ts";
const checks: Readonly<Record<string, () => readonly Finding[]>> = {
  imports: () => checkImports(readSources(".ts", ".tsx"), readImportLaw()),
  order: () => checkImportOrder(readSources(".ts", ".tsx", ".mjs")),
  exports: () => checkExports(readSources(".ts", ".tsx", ".mjs")),
  // The tests of the lint hold examples of the dialect.
  dialect: () => checkDialect(readSources(".ts", ".tsx", ".mjs", ".md").filter(({ file }) => file !== examples)),
  parameters: () => checkParameterObjects(readSources(".ts", ".tsx")),
};

const help = `node tests/dist/lint/main.js [--count] [CHECK ...]

Checks the sources for what oxlint cannot: ${Object.keys(checks).join(", ")}. Prints one line for each finding and exits with 1
if there is any. --count prints only how many there are in each package.
`;

function main(args: readonly string[]): void {
  const asked = args.filter((arg) => !arg.startsWith("--"));
  if (args.includes("--help") || asked.some((name) => checks[name] === undefined)) {
    process.stdout.write(help);
    process.exitCode = args.includes("--help") ? 0 : 2;
    return;
  }
  const names = asked.length > 0 ? asked : Object.keys(checks);
  for (const name of names) {
    const findings = checks[name]?.() ?? [];
    process.stdout.write(args.includes("--count") ? count(findings) : findings.map(describe).join(""));
    process.stdout.write(`${name}: ${findings.length} findings\n`);
    if (findings.length > 0) process.exitCode = 1;
  }
}

function describe({ file, line, problem }: Finding): string {
  return `${file}:${line}: ${problem}\n`;
}

function count(findings: readonly Finding[]): string {
  const packages = findings.map(({ file }) => packageOf(file));
  return [...new Set(packages)].map((name) => `  ${name}: ${packages.filter((one) => one === name).length}\n`).join("");
}

main(process.argv.slice(2));
