import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { worlds } from "./fault.ts";
import { faults } from "./faults.ts";
import type { Row } from "./run-fault.ts";
import { runFaults } from "./run-faults.ts";
import { formatTable, writeTable } from "./table.ts";

const help = `npm run test:faults -- [--only TEXT] [--world NAME] [--quick] [--list] [--write] [--log FILE]

Causes faults in a running system while devices talk to it, and checks the messages that they received.

  --only TEXT  only faults with TEXT in their name; repeatable
  --world NAME only faults of one kind of system (${Object.keys(worlds).join(", ")}); repeatable
  --quick      the short form, as in npm test
  --list       list the faults and exit
  --write      write the rows into the table of docs/reliability.md
  --log FILE   write the output of the programs to FILE
`;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    world: { type: "string", multiple: true },
    quick: { type: "boolean" },
    list: { type: "boolean" },
    write: { type: "boolean" },
    log: { type: "string" },
    help: { type: "boolean" },
  },
});

const chosen = faults.filter(
  ({ name, world, quick }) =>
    (values.world === undefined || values.world.includes(world)) &&
    (values.only === undefined || values.only.some((text) => name.includes(text))) &&
    (!values.quick || quick === true),
);

function tellRow(row: Row): void {
  const { turns, answered, apologized, lost, cut, doubled, medianMs, maxMs, presenceMs, late, problems } = row;
  const waits = `${(medianMs / 1000).toFixed(1)} / ${(maxMs / 1000).toFixed(1)} s`;
  process.stdout.write(
    `${problems.length > 0 ? "FAILED" : late ? "LATE  " : "ok    "}  ${turns} turns: ${answered} answered, ${apologized} apologized, ${lost} lost (${cut} cut), ${doubled} doubled; recovery ${waits}; presence ${(presenceMs / 1000).toFixed(1)} s\n`,
  );
  for (const problem of problems) process.stdout.write(`        ${problem}\n`);
}

if (values.help) process.stdout.write(help);
else if (values.list)
  process.stdout.write(`${faults.map(({ name, quick }) => `${quick ? "*" : " "} ${name}`).join("\n")}\n`);
else if (chosen.length === 0) {
  process.stderr.write("voxbus: no fault matches; --list lists them\n");
  process.exitCode = 2;
} else {
  const { log } = values;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  if (log !== undefined) writeFileSync(log, "");
  const tell = {
    begin: (name: string) => process.stdout.write(`${name} (${Math.round(performance.now() / 1000)} s)\n`),
    row: tellRow,
    ...(log === undefined ? {} : { log: (text: string) => writeFileSync(log, text, { flag: "a" }) }),
  };
  const rows = await runFaults(chosen, tell, values.quick ? "short" : "whole");
  process.stdout.write(`\n${formatTable(rows)}\n`);
  if (values.write)
    writeTable(
      rows,
      faults.map(({ name }) => name),
    );
  process.exitCode = rows.some(({ late, problems }) => late || problems.length > 0) ? 1 : 0;
  process.exit();
}
