import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

/** An entry of a suite, which is one row of its table. */
export interface Entry {
  readonly name: string;
  /** The text behind the name in `--list`. */
  readonly title?: string;
  /** The kind of system it needs; the first one if it does not say. */
  readonly world?: string;
  /** True for the short form. */
  readonly quick?: boolean;
}

/** The chosen form of a run. */
export interface Form {
  readonly quick: boolean;
  /** The values of the suite's own options. */
  readonly values: Readonly<Record<string, string | undefined>>;
  /** Reports that an entry begins. */
  readonly begin: (title: string) => void;
  /** Prints text. */
  readonly print: (text: string) => void;
  /** Takes the output of programs, if it is wanted. */
  readonly log?: (text: string) => void;
}

/** A suite whose command runs entries and prints a table. */
export interface Suite<E extends Entry> {
  /** The name of the npm script. */
  readonly command: string;
  /** The noun for an entry. */
  readonly noun: string;
  readonly about: string;
  /** The page that has its table. */
  readonly page: string;
  readonly entries: readonly E[];
  readonly worlds?: readonly string[];
  /** The suite's own options with their descriptions. Each takes a value. */
  readonly options?: Readonly<Record<string, string>>;
  /** Runs entries. Gives the table, the function that writes it into the page, and whether everything was right. */
  readonly run: (
    chosen: readonly E[],
    form: Form,
  ) => Promise<{ readonly table: string; readonly write: () => void; readonly passed: boolean }>;
}

/** Runs a suite as this process, as its command line says. Exit code: 1 if something was not right, 2 for a wrong option. */
export async function runSuite<E extends Entry>(suite: Suite<E>): Promise<void> {
  const { entries, noun, worlds = [] } = suite;
  const own = Object.keys(suite.options ?? {});
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      world: { type: "string", multiple: true },
      quick: { type: "boolean" },
      list: { type: "boolean" },
      write: { type: "boolean" },
      log: { type: "string" },
      help: { type: "boolean" },
      ...Object.fromEntries(own.map((name) => [name, { type: "string" as const }])),
    },
  });
  const { only, world: chosenWorlds, quick = false, list, write, log, help } = values;
  const chosen = entries.filter(
    ({ name, title = "", world = worlds[0] ?? "", quick: isQuick }) =>
      (chosenWorlds === undefined || chosenWorlds.includes(world)) &&
      (only === undefined || only.some((text) => name.includes(text) || title.includes(text))) &&
      (!quick || isQuick === true),
  );
  if (help) return void process.stdout.write(describe(suite));
  if (list) {
    const lines = chosen.map(
      ({ name, title = "", quick }) => `${quick ? "*" : " "} ${title ? name.padEnd(32) : name} ${title}`,
    );
    return void process.stdout.write(`${lines.map((line) => line.trimEnd()).join("\n")}\n`);
  }
  if (chosen.length === 0) {
    process.stderr.write(`voxbus: no ${noun} matches; --list lists them\n`);
    process.exitCode = 2;
    return;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  if (log !== undefined) writeFileSync(log, "");
  const print = (text: string) => void process.stdout.write(text);
  const {
    table,
    write: writeTable,
    passed,
  } = await suite.run(chosen, {
    quick,
    values: values as Form["values"],
    begin: (title) => print(`${title} (${Math.round(performance.now() / 1000)} s)\n`),
    print,
    ...(log === undefined ? {} : { log: (text: string) => writeFileSync(log, text, { flag: "a" }) }),
  });
  print(`\n${table}\n`);
  if (write) writeTable();
  process.exit(passed ? 0 : 1);
}

function describe<E extends Entry>({ command, noun, about, page, worlds = [], options = {} }: Suite<E>): string {
  const rows = [
    ["--only TEXT", `only ${noun}s with TEXT in their name; repeatable`],
    ...(worlds.length > 0 ? [["--world NAME", `only one kind of system (${worlds.join(", ")}); repeatable`]] : []),
    ["--quick", "the short form, as in npm test"],
    ...Object.entries(options).map(([name, meaning]) => [`--${name} N`, meaning]),
    ["--list", `list the ${noun}s and exit; * marks those of the short form`],
    ["--write", `write the rows into the table of ${page}`],
    ["--log FILE", "write the output of the programs to FILE"],
  ];
  const lines = rows.map(([option = "", meaning = ""]) => `  ${option.padEnd(14)} ${meaning}`);
  return `npm run ${command} -- [OPTIONS]\n\n${about}\n\n${lines.join("\n")}\n`;
}
