import { availableParallelism, loadavg } from "node:os";
import { readRows, writePart } from "./page-table.ts";

/** A table of docs/reliability.md. */
export interface ReliabilityTable {
  /** The name in its marks. */
  readonly name: string;
  /** The two lines of its head. */
  readonly head: readonly string[];
  /** The first cells of its rows, in order; "any" keeps the order in which they were written. */
  readonly order: readonly string[] | "any";
}

/** Writes rows into a table, by their first cells, with the load of the machine. Other rows stay. */
export function writeRows({ name, head, order }: ReliabilityTable, rows: ReadonlyMap<string, string>): void {
  const part = { page: "docs/reliability.md", name };
  const lines = new Map([...readRows(part), ...rows]);
  const cells =
    order === "any"
      ? [...lines.keys()].filter((cell) => !head.some((line) => line.includes(`| ${cell} |`)) && !/^-+:?$/.test(cell))
      : order;
  const table = [...head, ...cells.flatMap((cell) => lines.get(cell) ?? [])].join("\n");
  const machine = `${availableParallelism()} cores, load average of the last 15 minutes ${loadavg()[2]?.toFixed(1)}.`;
  writePart(part, `${table}\n\n${machine}`);
}
