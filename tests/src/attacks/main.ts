import { runSuite } from "../suites/command.ts";
import { worlds } from "./attack.ts";
import { attacks } from "./attacks.ts";
import type { Row } from "./run-attack.ts";
import { plans, runAttacks } from "./run-attacks.ts";
import { describeRow, formatTable, writeTable } from "./table.ts";

await runSuite({
  command: "test:attacks",
  noun: "attack",
  about:
    "Attacks a running system beside talking bystanders. Prints what the bystanders noticed, and the memory and descriptors of\n" +
    "every program before, during and after each attack. Exit code: 1 if an attack hurt anyone but the attacker.",
  page: "docs/reliability.md",
  entries: attacks,
  worlds: Object.keys(worlds),
  options: {
    seconds: `shortest duration of an attack, and longest of the phases before and after it [${plans.whole.attackMs / 1000}]`,
  },
  async run(chosen, { quick, values: { seconds }, begin, print, log }) {
    const form = quick ? plans.short : plans.whole;
    const attackMs = seconds === undefined ? form.attackMs : Number(seconds) * 1000;
    if (!(attackMs > 0)) throw new Error("--seconds is not a number above 0");
    const plan = { ...form, attackMs, calmMs: Math.min(form.calmMs, attackMs) };
    const tell = { begin, row: (row: Row) => print(describeRow(row)), ...(log && { log }) };
    const rows = await runAttacks(chosen, plan, tell);
    const titles = attacks.map(({ title }) => title);
    return {
      table: formatTable(rows),
      write: () => writeTable(rows, titles),
      passed: rows.every(({ failures }) => failures.length === 0),
    };
  },
});
