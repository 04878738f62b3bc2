import { runSuite } from "../suites/command.ts";
import { formatTable, writeTable } from "./table.ts";
import { lastRow, runSteps, type Row } from "./run-steps.ts";
import { steps } from "./steps.ts";

const usualSize = 20;
// Each process ends with this one.
process.setMaxListeners(100);

function describeRow({ turns, answered, apologized, lost, doubled, asked, problems, ...row }: Row): string {
  const verdict = problems.length > 0 ? "FAILED" : "ok    ";
  const waits = `${(row.medianMs / 1000).toFixed(1)} / ${(row.maxMs / 1000).toFixed(1)} s`;
  return [
    `${verdict}  ${turns} turns: ${answered} answered, ${apologized} apologized, ${lost} lost, ${doubled} doubled, ${asked} asked again; wait ${waits}; took ${(row.tookMs / 1000).toFixed(1)} s\n`,
    ...problems.map((problem) => `        ${problem}\n`),
  ].join("");
}

await runSuite({
  command: "test:cluster",
  noun: "step",
  about:
    "Starts what deploy/kubernetes describes without containers: three servers of NATS with users and TLS, two of each program,\n" +
    "and nginx. Replaces, upgrades and rolls back one of everything after the other while devices talk, and checks the messages\n" +
    "that they received. Exit code: 1 if a turn was lost or heard twice.",
  page: "docs/reliability.md",
  entries: steps,
  options: {
    devices: `number of devices (${usualSize})`,
    activation: "1: an operator types the code of each device; 0: each gets a token at once (0)",
  },
  async run(chosen, { values, begin, print, log }) {
    const tell = { begin, row: (row: Row) => print(describeRow(row)), ...(log && { log }) };
    const rows = await runSteps(chosen, tell, {
      size: Number(values["devices"] ?? usualSize),
      activation: values["activation"] === "1" ? "code" : "off",
    });
    return {
      table: formatTable(rows),
      write: () => writeTable(rows, [...steps.map(({ name }) => name), lastRow]),
      passed: rows.every(({ problems }) => problems.length === 0),
    };
  },
});
