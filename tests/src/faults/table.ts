import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import type { Row } from "./run-fault.ts";

const seconds = (ms: number) => (Math.max(0, ms) / 1000).toFixed(1);

/** The table as it stands in docs/reliability.md. */
export function formatTable(rows: readonly Row[]): string {
  const lines = rows.map((row, at) => {
    const note = row.mayLose === undefined || row.lost === 0 ? "" : ` (${row.mayLose})`;
    return [
      at + 1,
      row.name,
      row.turns,
      row.answered,
      row.apologised,
      `${row.lost}${note}`,
      row.doubled,
      seconds(row.medianMs),
      seconds(row.maxMs),
      seconds(row.presenceMs),
    ].join(" | ");
  });
  return [
    "| | fault | turns in flight | answered | apologised | lost | doubled | recovery, median s | recovery, max s | presence right after s |",
    "| --: | --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ...lines.map((line) => `| ${line} |`),
  ].join("\n");
}

const page = new URL("../../../docs/reliability.md", import.meta.url);
const marks = { begin: "<!-- faults: begin -->", end: "<!-- faults: end -->" };

/** Puts the table between its marks in docs/reliability.md. Throws when the page has no such marks. */
export function writeTable(rows: readonly Row[]): void {
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(marks.begin), text.indexOf(marks.end)];
  if (from < 0 || to < from) throw new Error(`docs/reliability.md has no ${marks.begin} and ${marks.end}`);
  const machine = `${availableParallelism()} cores, load average of the last 15 minutes ${loadavg()[2]?.toFixed(1)}.`;
  writeFileSync(
    page,
    `${text.slice(0, from + marks.begin.length)}\n\n${formatTable(rows)}\n\n${machine}\n\n${text.slice(to)}`,
  );
}
