/** Thrown for a text that is no CSV. */
export class CsvError extends Error {
  override readonly name = "CsvError";
  /** The number of the row, from 1. */
  readonly row: number;
  constructor(row: number, message: string) {
    super(message);
    this.row = row;
  }
}

/** The most cells of a row. */
const maxCells = 100;

/** Reads CSV (RFC 4180): at most `most` rows of cells, in quotes or not. Throws CsvError. */
export function parseCsv(text: string, most = Infinity): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length || row.length > 0;) {
    const { cell, end } = text[at] === '"' ? readQuoted(text, at) : readPlain(text, at);
    const [after] = text.slice(end, end + 2).match(/^(?:,|\r?\n|\r|$)/) ?? [];
    const number = rows.length + 1;
    if (after === undefined) throw new CsvError(number, "a quote is not closed, or stands within a cell");
    if (row.push(cell) > maxCells) throw new CsvError(number, `has more than ${maxCells} cells`);
    at = end + after.length;
    if (after === ",") continue;
    if (rows.push(row) > most) throw new CsvError(number, `the file has more than ${most} rows`);
    row = [];
  }
  return rows;
}

/** A cell, and the index behind it. */
interface Cell {
  readonly cell: string;
  readonly end: number;
}

function readPlain(text: string, at: number): Cell {
  const stop = /[",\r\n]/g;
  stop.lastIndex = at;
  const end = stop.exec(text)?.index ?? text.length;
  return { cell: text.slice(at, end), end };
}

/** Reads a cell from its first quote on. One that is not closed ends at that quote. */
function readQuoted(text: string, at: number): Cell {
  let close = text.indexOf('"', at + 1);
  while (close > 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close < 0) return { cell: "", end: at };
  return { cell: text.slice(at + 1, close).replaceAll('""', '"'), end: close + 1 };
}

/** Writes rows of cells as CSV, with quotes where they are needed. */
export function formatCsv(rows: readonly (readonly string[])[]): string {
  const quote = (cell: string) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map(quote).join(",")}\r\n`).join("");
}
