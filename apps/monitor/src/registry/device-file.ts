import { z } from "zod";
import { DeviceId } from "../http/params.ts";
import { Problem, type FieldProblem } from "../http/problems.ts";
import { DeviceChange } from "./change-device.ts";
import { CsvError, formatCsv, parseCsv } from "./csv.ts";
import type { KnownDevice } from "./known-devices.ts";

/** The most rows of a file. */
const maxRows = 50_000;
/** The most problems that a refusal names. */
const maxProblems = 100;

/** The fields of a row that are for the reader only. */
const shown = ["state", "gateway", "firstSeen", "lastSeen", "firmware", "board"] as const;
const changed = ["name", "group", "allowed", "note"] as const;

/** One row of a file of devices: what is to be changed of one. The fields that an export adds have no effect. */
const DeviceRow = DeviceChange.extend({
  id: DeviceId,
  ...(Object.fromEntries(shown.map((field) => [field, z.unknown().optional()])) as Record<
    (typeof shown)[number],
    z.ZodOptional<z.ZodUnknown>
  >),
});

/** A device of a file, and what is to be changed of it. */
export interface DeviceRow {
  readonly id: string;
  readonly change: DeviceChange;
}

/** A kind of file of devices. */
export interface FileKind {
  readonly type: string;
  format(devices: readonly KnownDevice[]): string;
  /** Reads every row. Throws the Problem `bad-field`, which names the rows and fields that are wrong. */
  parse(text: string): readonly DeviceRow[];
}

/** The kinds of files of devices, by the end of their name. */
export const fileKinds: Readonly<Record<"csv" | "jsonl", FileKind>> = {
  csv: {
    type: "text/csv",
    format: (devices) => formatCsv([["id", ...changed, ...shown], ...devices.map(toCells)]),
    parse: (text) => checkRows(readCsv(text)),
  },
  jsonl: {
    type: "application/x-ndjson",
    format: (devices) => devices.map((device) => `${JSON.stringify(toLine(device))}\n`).join(""),
    parse: (text) => checkRows(readLines(text)),
  },
};

/** A row as it was read, with its number in the file, or why it cannot be read. */
interface RawRow {
  readonly row: number;
  readonly value?: unknown;
  readonly problem?: string;
}

function toLine(device: KnownDevice): object {
  const values = changed.map((field) => [field, device[field] ?? null]);
  return {
    id: device.id,
    ...Object.fromEntries(values),
    ...Object.fromEntries(shown.map((field) => [field, device[field]])),
  };
}

function toCells(device: KnownDevice): readonly string[] {
  const { firstSeen, lastSeen } = device;
  const show = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
  const cells = { ...device, firstSeen: show(firstSeen), lastSeen: show(lastSeen) };
  return [device.id, ...[...changed, ...shown].map((field) => String(cells[field] ?? ""))];
}

function readLines(text: string): readonly RawRow[] {
  const lines = text.split("\n", maxRows + 2);
  // After the last row there may be a line break.
  if (lines.length > maxRows + 1 || (lines.length > maxRows && lines.at(-1) !== ""))
    return [{ row: maxRows + 1, problem: `the file has more than ${maxRows} rows` }];
  return lines.flatMap((line, at): RawRow[] => {
    const row = at + 1;
    if (line.trim() === "") return [];
    try {
      return [{ row, value: JSON.parse(line) as unknown }];
    } catch {
      return [{ row, problem: "is not JSON" }];
    }
  });
}

/** Reads CSV whose first row names the columns. An empty cell removes what it stands for. */
function readCsv(text: string): readonly RawRow[] {
  try {
    const [head = [], ...rows] = parseCsv(text.replace(/^\uFEFF/, ""), maxRows + 1);
    const columns = head.map((name) => name.trim());
    const twice = columns.find((column, at) => columns.indexOf(column) < at);
    if (twice !== undefined) return [{ row: 1, problem: `the column ${twice} is there twice` }];
    if (!columns.includes("id"))
      return [{ row: 1, problem: "the first row must name the columns, such as id,name,group" }];
    return rows.flatMap((cells, at): RawRow[] => {
      const row = at + 2;
      if (cells.length === 1 && cells[0] === "") return [];
      if (cells.length !== columns.length)
        return [{ row, problem: `has ${cells.length} cells, the first row has ${columns.length}` }];
      return [
        { row, value: Object.fromEntries(columns.map((column, at) => [column, readCell(column, cells[at] ?? "")])) },
      ];
    });
  } catch (error) {
    if (error instanceof CsvError) return [{ row: error.row, problem: error.message }];
    throw error;
  }
}

function readCell(column: string, cell: string): unknown {
  if (cell === "" && column !== "id") return null;
  if (column !== "allowed") return cell;
  const word = cell.toLowerCase();
  return word === "true" || word === "false" ? word === "true" : cell;
}

function checkRows(raw: readonly RawRow[]): readonly DeviceRow[] {
  const problems: FieldProblem[] = [];
  const rows = new Map<string, number>();
  const devices: DeviceRow[] = [];
  for (const { row, value, problem } of raw) {
    if (problem !== undefined) {
      problems.push({ field: `row ${row}`, message: problem });
      continue;
    }
    const { data, error } = DeviceRow.safeParse(value);
    for (const issue of error?.issues ?? []) problems.push(toProblem(row, issue));
    if (data === undefined) continue;
    const { id, name, group, allowed, note } = data;
    const before = rows.get(id);
    if (before !== undefined) problems.push({ field: `row ${row}, id`, message: `${id} is in row ${before} too` });
    rows.set(id, row);
    devices.push({ id, change: { name, group, allowed, note } });
  }
  const [first] = problems;
  if (first === undefined) return devices;
  const others = problems.length > 1 ? `, and ${problems.length - 1} more problems` : "";
  throw new Problem("bad-field", `nothing was imported: ${first.field}: ${first.message}${others}`, {
    errors: problems.slice(0, maxProblems),
  });
}

function toProblem(row: number, issue: z.core.$ZodIssue): FieldProblem {
  const field = issue.code === "unrecognized_keys" ? issue.keys.join(", ") : issue.path.join(".");
  return { field: field === "" ? `row ${row}` : `row ${row}, ${field}`, message: issue.message };
}
