import { writeFileSync } from "node:fs";
import { readPage, root } from "../docs/markdown.ts";

/** A part of a page, between the marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`. */
export interface PagePart {
  /** The page's path from the root. */
  readonly page: string;
  readonly name: string;
}

/** Reads the rows of the tables in a part of a page, by their first cells. Heads of tables are rows too. */
export function readRows(part: PagePart): Map<string, string> {
  const { text, from, to } = findPart(part);
  const lines = text
    .slice(from, to)
    .split("\n")
    .filter((line) => line.startsWith("|"));
  // Prettier has padded the columns.
  return new Map(lines.map((line) => [line.split(/(?<!\\)\|/)[1]?.trim() ?? "", line.replaceAll(/ +/g, " ")]));
}

/** Replaces a part of a page. Throws if the page has no marks for it. */
export function writePart(part: PagePart, body: string): void {
  const { text, from, to } = findPart(part);
  writeFileSync(root + part.page, `${text.slice(0, from)}\n\n${body}\n\n${text.slice(to)}`);
}

/** Escapes a text for a cell of a table. */
export function toCell(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("|", String.raw`\|`);
}

function findPart({ page, name }: PagePart) {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const text = readPage(page);
  const [at, to] = [text.indexOf(begin), text.indexOf(end)];
  if (at < 0 || to < at) throw new Error(`${page} has no ${begin} and ${end}`);
  return { text, from: at + begin.length, to };
}
