import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { worlds } from "./attack.ts";
import { attacks } from "./attacks.ts";
import { plans, runAttacks } from "./run-attacks.ts";
import { describeRow, formatTable, writeTable } from "./table.ts";

const help = `npm run test:attacks -- [--only TEXT] [--world NAME] [--quick] [--seconds N] [--list] [--write] [--log FILE]

Attacks a running system beside talking bystanders. Prints what the bystanders noticed, and the memory and descriptors of
every program before, during and after each attack. Exit code: 1 if an attack hurt anyone but the attacker.

  --only TEXT  only attacks with TEXT in their name or title; repeatable
  --world NAME only attacks on one kind of system (${Object.keys(worlds).join(", ")}); repeatable
  --quick      the short form, as in npm test
  --seconds N  shortest duration of an attack, and longest of the phases before and after it [${plans.whole.attackMs / 1000}]
  --list       list the attacks and exit; * marks those of the short form
  --write      write the rows into the table of docs/reliability.md
  --log FILE   write the output of the programs to FILE
`;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    world: { type: "string", multiple: true },
    seconds: { type: "string" },
    quick: { type: "boolean" },
    list: { type: "boolean" },
    write: { type: "boolean" },
    log: { type: "string" },
    help: { type: "boolean" },
  },
});

const chosen = attacks.filter(
  ({ name, title, world = "open", quick }) =>
    (values.world === undefined || values.world.includes(world)) &&
    (values.only === undefined || values.only.some((text) => name.includes(text) || title.includes(text))) &&
    (!values.quick || quick === true),
);
const form = values.quick ? plans.short : plans.whole;
const attackMs = values.seconds === undefined ? form.attackMs : Number(values.seconds) * 1000;
const plan = { ...form, attackMs, calmMs: Math.min(form.calmMs, attackMs) };

if (values.help) process.stdout.write(help);
else if (values.list)
  process.stdout.write(
    `${attacks.map(({ name, title, quick }) => `${quick ? "*" : " "} ${name.padEnd(32)} ${title}`).join("\n")}\n`,
  );
else if (chosen.length === 0 || !(plan.attackMs > 0)) {
  process.stderr.write("voxbus: no attack matches, or --seconds is not a number; --help lists the options\n");
  process.exitCode = 2;
} else {
  const { log } = values;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  if (log !== undefined) writeFileSync(log, "");
  const rows = await runAttacks(chosen, plan, {
    begin: (title) => process.stdout.write(`${title} (${Math.round(performance.now() / 1000)} s)\n`),
    row: (row) => process.stdout.write(describeRow(row)),
    ...(log === undefined ? {} : { log: (text: string) => writeFileSync(log, text, { flag: "a" }) }),
  });
  process.stdout.write(`\n${formatTable(rows)}\n`);
  if (values.write)
    writeTable(
      rows,
      attacks.map(({ title }) => title),
    );
  process.exitCode = rows.some(({ failures }) => failures.length > 0) ? 1 : 0;
  process.exit();
}
