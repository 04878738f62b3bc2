import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";

const page = new URL("../../../docs/reliability.md", import.meta.url);

/** A table of docs/reliability.md, between the marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`. */
export interface ReliabilityTable {
  readonly name: string;
  /** The two lines of its head. */
  readonly head: readonly string[];
  /** The first cells of its rows, in order. */
  readonly order: readonly string[];
}

/** Writes rows into a table, by their first cells. Other rows stay. Throws if the page has no marks for the table. */
export function writeRows({ name, head, order }: ReliabilityTable, rows: ReadonlyMap<string, string>): void {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/reliability.md has no ${begin} and ${end}`);
  // Prettier has padded the columns.
  const old = text
    .slice(from, to)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(head.length);
  const lines = new Map(old.map((line) => [line.split("|")[1]?.trim() ?? "", line.replaceAll(/ +/g, " ")]));
  for (const [cell, row] of rows) lines.set(cell, row);
  const table = [...head, ...order.flatMap((cell) => lines.get(cell) ?? [])].join("\n");
  const machine = `${availableParallelism()} cores, load average of the last 15 minutes ${loadavg()[2]?.toFixed(1)}.`;
  writeFileSync(page, `${text.slice(0, from)}${begin}\n\n${table}\n\n${machine}\n\n${text.slice(to)}`);
}
