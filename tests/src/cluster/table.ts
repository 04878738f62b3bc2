import { writeRows } from "../suites/reliability-table.ts";
import type { Row } from "./run-steps.ts";

const head = [
  "| step | took s | turns | answered | apologized | lost | doubled | wait for sound, median s | wait for sound, max s |",
  "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
];

const seconds = (ms: number) => (ms / 1000).toFixed(1);

function formatRow({ name, tookMs, turns, answered, apologized, lost, doubled, medianMs, maxMs }: Row): string {
  const cells = [seconds(tookMs), turns, answered, apologized, lost, doubled, seconds(medianMs), seconds(maxMs)];
  return `| ${[name, ...cells].join(" | ")} |`;
}

/** Formats the table of docs/reliability.md. */
export function formatTable(rows: readonly Row[]): string {
  return [...head, ...rows.map(formatRow)].join("\n");
}

/** Writes rows into the table of docs/reliability.md, in the order of `names`. Rows of other steps stay. */
export function writeTable(rows: readonly Row[], names: readonly string[]): void {
  writeRows({ name: "cluster", head, order: names }, new Map(rows.map((row) => [row.name, formatRow(row)])));
}
