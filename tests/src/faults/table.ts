import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import type { Row } from "./run-fault.ts";

const head = [
  "| fault | turns in flight | answered | apologized | lost | doubled | recovery, median s | recovery, max s | presence right after s |",
  "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
];
const page = new URL("../../../docs/reliability.md", import.meta.url);
const marks = { begin: "<!-- faults: begin -->", end: "<!-- faults: end -->" };

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
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(marks.begin), text.indexOf(marks.end)];
  if (from < 0 || to < from) throw new Error(`docs/reliability.md has no ${marks.begin} and ${marks.end}`);
  // Prettier has padded the columns.
  const old = text
    .slice(from, to)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(head.length);
  const lines = new Map(old.map((line) => [line.split("|")[1]?.trim() ?? "", line.replaceAll(/ +/g, " ")]));
  for (const row of rows) lines.set(row.name, formatRow(row));
  const table = [...head, ...names.flatMap((name) => lines.get(name) ?? [])].join("\n");
  const machine = `${availableParallelism()} cores, load average of the last 15 minutes ${loadavg()[2]?.toFixed(1)}.`;
  writeFileSync(page, `${text.slice(0, from)}${marks.begin}\n\n${table}\n\n${machine}\n\n${text.slice(to)}`);
}
