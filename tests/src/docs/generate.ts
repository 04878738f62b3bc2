import { existsSync, readdirSync } from "node:fs";
import { describeAsyncApi, describeContract } from "@voxbus/protocol";
import { variablesOf, type Program, type Variable } from "@voxbus/subscriber";
import { areas } from "../attacks/attacks.ts";
import { writeEnvExample, writePassedVariables, type Tables } from "./compose.ts";
import { readPage, replaceBlock, replaceTable, root } from "./markdown.ts";
import { grants } from "./grants.ts";
import { listGrants } from "./permission-table.ts";
import { passwordVariable, writeAccounts } from "./permissions.ts";
import { writePrometheusRule } from "./rules.ts";
import { writeTemplates } from "./templates.ts";

/** Variables that no program reads: those of the set-up, of `npm start` and of the tests. */
const setUpVariables: readonly Variable[] = [
  {
    name: "VOXBUS_NATS_PORT",
    meaning:
      "port of the nats-server that `npm start` runs if `VOXBUS_NATS_URL` is unset; 0: any free port and a temporary store",
    fallback: 4222,
  },
  {
    name: "VOXBUS_DATA_DIR",
    meaning: "folder of that nats-server's data; if it cannot be written to, a temporary one is used",
    fallback: ".data",
  },
  {
    name: "VOXBUS_OFFLINE",
    meaning: "1: never download a nats-server from outside the configured Debian mirror",
    fallback: undefined,
  },
  { name: "VOXBUS_NATS_SERVER", meaning: "path of the nats-server that the tests run", fallback: undefined },
  {
    name: "VOXBUS_BIND",
    meaning:
      "address on which docker compose publishes the port for devices and the page; if it is set, `VOXBUS_AUTH` must be set too",
    fallback: "127.0.0.1",
  },
  {
    name: "VOXBUS_NATS_CONF",
    meaning: "settings of NATS in docker compose: single, or cluster with the profile cluster",
    fallback: "single",
  },
  ...grants.map((grant) => ({
    name: passwordVariable(grant),
    meaning: `password of the user \`${grant.user}\` of deploy/nats/accounts.conf, for nats-server`,
    fallback: undefined,
  })),
];

/** The folder of the contract as data. All files in it are generated. */
export const contractFolder = "docs/contract";

/** Loads the description of every program, our own and the examples. */
export async function loadPrograms(): Promise<readonly Program[]> {
  const files = [
    ...readdirSync(`${root}apps`).map((name) => `apps/${name}/dist/app.js`),
    ...readdirSync(`${root}examples`).map((name) => `examples/${name}/dist/${name}.js`),
  ].filter((file) => existsSync(root + file));
  const modules = await Promise.all(files.map(async (file) => (await import(root + file)) as object));
  return modules.flatMap((exports) => Object.values(exports).filter(isProgram));
}

function isProgram(value: unknown): value is Program {
  return typeof value === "object" && value !== null && "name" in value && "config" in value;
}

/** A command of the command line, with the text of its `--help`. */
export interface Manual {
  readonly name: string;
  readonly help: string;
}

/** Loads the help of every command of the command line. */
export async function loadManuals(): Promise<readonly Manual[]> {
  const load = async (file: string) => (await import(`${root}apps/cli/dist/${file}`)) as unknown;
  const { commands } = (await load("commands/index.js")) as { readonly commands: readonly { readonly name: string }[] };
  const { describeCommand } = (await load("help.js")) as { describeCommand(command: unknown): string };
  return commands.map((command) => ({ name: command.name, help: describeCommand(command) }));
}

/** Writes the help of each command into its section. A new command gets a section behind the others. */
function writeManuals(page: string, manuals: readonly Manual[]): string {
  const next = "## Output";
  return manuals.reduce((text, { name, help }) => {
    const marker = `help: ${name}`;
    const section = `### ${name}\n\n<!-- ${marker} -->\n\n\`\`\`text\n\`\`\`\n\n${next}`;
    return replaceBlock(text.includes(`<!-- ${marker} -->`) ? text : text.replace(next, section), marker, help);
  }, page);
}

/** Writes the generated files and tables anew, and gives the text of each file by its path. */
export function generate(programs: readonly Program[], manuals: readonly Manual[]): ReadonlyMap<string, string> {
  const common = variablesOf({ name: "any" }).filter(({ name }) => name !== "VOXBUS_ANY_OPS_PORT");
  const isCommon = new Set(common.map(({ name }) => name));
  const tables: Tables = new Map([
    ["every program", common],
    ...programs.map((program) => {
      return [program.name, variablesOf(program).filter(({ name }) => !isCommon.has(name))] as const;
    }),
    ["set-up", setUpVariables],
  ]);
  let manual = readPage("docs/operations.md");
  for (const [title, variables] of tables) {
    manual = replaceTable(withSection(manual, title), `variables: ${title}`, tableOf(variables));
  }
  const streamsOf = (user: string) => programs.find(({ name }) => name === user)?.streams ?? [];
  const contract = replaceTable(readPage("docs/bus.md"), "table: permissions", listGrants());
  const names = [...tables.values()].flat().map(({ name }) => name);
  const security = replaceTable(readPage("SECURITY.md"), "attacks", tableOfAttacks());
  return new Map([
    ...writeContract(),
    ["deploy/nats/accounts.conf", writeAccounts(streamsOf)],
    ["deploy/compose/variables.yaml", writePassedVariables(tables)],
    ["deploy/compose/.env.example", writeEnvExample(tables)],
    ["deploy/kubernetes/components/monitoring/rules.yaml", writePrometheusRule()],
    ["docs/bus.md", contract],
    ["SECURITY.md", security],
    ["docs/operations.md", manual],
    ["docs/cli.md", writeManuals(readPage("docs/cli.md"), manuals)],
    ["libs/service/src/variables.ts", listOf(names)],
    ["apps/cli/src/scaffold/recipes.ts", writeTemplates(readPage("docs/subscribers.md"))],
  ]);
}

/** Writes the contract as data: `docs/contract`. */
function writeContract(): ReadonlyMap<string, string> {
  const files = [["asyncapi.json", describeAsyncApi()] as const, ...describeContract()];
  return new Map(
    files.map(([file, content]) => [`${contractFolder}/${file}`, `${JSON.stringify(content, null, 2)}\n`]),
  );
}

/** Adds the section of a new program before that of the set-up. */
function withSection(manual: string, program: string): string {
  const marker = `<!-- variables: ${program} -->`;
  if (manual.includes(marker)) return manual;
  const next = "### Set-up and npm start";
  return manual.replace(next, `### ${program}\n\n${marker}\n\n| |\n\n${next}`);
}

function tableOf(variables: readonly Variable[]): readonly (readonly string[])[] {
  const rows = variables.map(({ name, meaning, fallback }) => [
    `\`${name}\``,
    fallback === undefined ? "-" : `\`${typeof fallback === "string" ? fallback : JSON.stringify(fallback)}\``,
    meaning.replaceAll("|", "\\|"),
  ]);
  return [["variable", "default", "meaning"], ["-", "-", "-"], ...rows];
}

/** Lists the attacks of `npm run test:attacks`, by area. */
function tableOfAttacks(): readonly (readonly string[])[] {
  const rows = Object.entries(areas).flatMap(([area, attacks]) =>
    attacks.map(({ title, happens, quick }) => [
      title,
      happens,
      `[${area}](tests/src/attacks/attacks-${area}.ts)`,
      quick ? "yes" : "",
    ]),
  );
  return [["what was tried", "what happens", "test", "in `npm test`"], ["-", "-", "-", "-"], ...rows];
}

function listOf(names: readonly string[]): string {
  return `/**
 * Every \`VOXBUS_*\` variable that a program of the project reads, so that a misspelt one can be reported. Generated by
 * \`npm run docs\` from the programs' own schemas.
 */
export const knownVariables: readonly string[] = [
${[...new Set(names)]
  .toSorted()
  .map((name) => `  "${name}",\n`)
  .join("")}];
`;
}
