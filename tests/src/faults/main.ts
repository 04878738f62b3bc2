import { runSuite } from "../suites/command.ts";
import { worlds } from "./fault.ts";
import { faults } from "./faults.ts";
import type { Row } from "./run-fault.ts";
import { runFaults } from "./run-faults.ts";
import { formatTable, writeTable } from "./table.ts";

function describeRow(row: Row): string {
  const { turns, answered, apologized, lost, cut, doubled, medianMs, maxMs, presenceMs, late, problems } = row;
  const waits = `${(medianMs / 1000).toFixed(1)} / ${(maxMs / 1000).toFixed(1)} s`;
  const verdict = problems.length > 0 ? "FAILED" : late ? "LATE  " : "ok    ";
  return [
    `${verdict}  ${turns} turns: ${answered} answered, ${apologized} apologized, ${lost} lost (${cut} cut), ${doubled} doubled; recovery ${waits}; presence ${(presenceMs / 1000).toFixed(1)} s\n`,
    ...problems.map((problem) => `        ${problem}\n`),
  ].join("");
}

await runSuite({
  command: "test:faults",
  noun: "fault",
  about:
    "Causes faults in a running system while devices talk to it, and checks the messages that they received. Exit code: 1\n" +
    "if a promise was broken.",
  page: "docs/reliability.md",
  entries: faults,
  worlds: Object.keys(worlds),
  async run(chosen, { quick, begin, print, log }) {
    const tell = { begin, row: (row: Row) => print(describeRow(row)), ...(log && { log }) };
    const rows = await runFaults(chosen, tell, quick ? "short" : "whole");
    const names = faults.map(({ name }) => name);
    return {
      table: formatTable(rows),
      write: () => writeTable(rows, names),
      passed: !rows.some(({ late, problems }) => late || problems.length > 0),
    };
  },
});
