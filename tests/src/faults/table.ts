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
