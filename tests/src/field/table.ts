import { readRows, toCell, writePart, type PagePart } from "../suites/page-table.ts";
import type { FieldKind } from "./field-case.ts";
import type { Row } from "./run-cases.ts";

const head = ["| odd | right behavior | why | what happened | held |", "| --- | --- | --- | --- | --- |"];
const part: PagePart = { page: "docs/compatibility.md", name: "cases" };

function formatRow({ odd, right, why, happened, held }: Row): string {
  return `| ${[odd, right, why, happened, held ? "yes" : "**no**"].map(toCell).join(" | ")} |`;
}

const toLines = (rows: readonly Row[]) => new Map(rows.map((row) => [toCell(row.odd), formatRow(row)]));

/** Formats tables kind by kind. Cases without a line are left out. */
function formatKinds(kinds: readonly FieldKind[], lines: ReadonlyMap<string, string>): string {
  const tables = kinds.flatMap(({ title, cases }) => {
    const rows = cases.flatMap(({ odd }) => lines.get(toCell(odd)) ?? []);
    return rows.length === 0 ? [] : [[`### ${title}`, "", ...head, ...rows].join("\n")];
  });
  return tables.join("\n\n");
}

/** Formats the tables of a run, kind by kind, with the number of cases that held. */
export function formatTables(rows: readonly Row[], kinds: readonly FieldKind[]): string {
  return `${formatKinds(kinds, toLines(rows))}\n\n${rows.filter(({ held }) => held).length} of ${rows.length} held.`;
}

/** Writes rows into the tables of docs/compatibility.md. Rows of other cases stay. */
export function writeTables(rows: readonly Row[], kinds: readonly FieldKind[]): void {
  writePart(part, formatKinds(kinds, new Map([...readRows(part), ...toLines(rows)])));
}

/** Lists the cases that docs/compatibility.md has no row for. */
export function listMissing(kinds: readonly FieldKind[]): readonly string[] {
  const rows = readRows(part);
  return kinds.flatMap(({ cases }) => cases.flatMap(({ odd }) => (rows.has(toCell(odd)) ? [] : [odd])));
}
