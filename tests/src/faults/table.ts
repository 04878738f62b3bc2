import { writeRows } from "../suites/reliability-table.ts";
import type { Row } from "./run-fault.ts";

const head = [
  "| fault | turns in flight | answered | apologized | lost | doubled | recovery, median s | recovery, max s | presence right after s |",
  "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
];

const seconds = (ms: number) => (Math.max(0, ms) / 1000).toFixed(1);

function formatRow(row: Row): string {
  const note = row.mayLose === undefined || row.lost === 0 ? "" : ` (${row.mayLose})`;
  const { name, turns, answered, apologized, doubled, medianMs, maxMs, presenceMs } = row;
  const times = [medianMs, maxMs, presenceMs].map(seconds);
  return `| ${[name, turns, answered, apologized, `${row.lost}${note}`, doubled, ...times].join(" | ")} |`;
}

/** Formats the table of docs/reliability.md. */
export function formatTable(rows: readonly Row[]): string {
  return [...head, ...rows.map(formatRow)].join("\n");
}

/**
 * Writes rows into the table of docs/reliability.md, in the order of `names`. Rows of other faults stay. Throws if the page has
 * no marks for the table.
 */
export function writeTable(rows: readonly Row[], names: readonly string[]): void {
  writeRows({ name: "faults", head, order: names }, new Map(rows.map((row) => [row.name, formatRow(row)])));
}
