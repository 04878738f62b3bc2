import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The root of the checkout, with a trailing slash. */
export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Reads a page by its path from the root. */
export function readPage(path: string): string {
  return readFileSync(root + path, "utf8");
}

/**
 * Reads the rows of the table behind `<!-- table: NAME -->` or `<!-- fields: NAME -->`, each as a list of cells. Throws if the
 * page has no such table.
 */
export function readTable(page: string, marker: string): readonly (readonly string[])[] {
  const lines = behindMarker(page, marker);
  const end = lines.findIndex((line) => !line.startsWith("|"));
  return lines.slice(2, end < 0 ? lines.length : end).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("\\|", "|")),
  );
}

/** Returns the page with other rows, header included, in the table behind `<!-- MARKER -->`. */
export function replaceTable(page: string, marker: string, rows: readonly (readonly string[])[]): string {
  const lines = behindMarker(page, marker);
  const end = lines.findIndex((line) => !line.startsWith("|"));
  const before = page.slice(0, page.length - lines.join("\n").length);
  return [before + alignRows(rows).join("\n"), ...lines.slice(end)].join("\n");
}

/** Returns the page with another text in the fenced block behind `<!-- MARKER -->`. */
export function replaceBlock(page: string, marker: string, text: string): string {
  const lines = behindMarker(page, marker);
  const [open = ""] = lines;
  const end = lines.indexOf("```", 1);
  if (!open.startsWith("```") || end < 0) throw new Error(`no block behind <!-- ${marker} -->`);
  const before = page.slice(0, page.length - lines.join("\n").length);
  return [before + open, text.trimEnd(), ...lines.slice(end)].join("\n");
}

/** Writes rows as prettier does. The second one is the rule. */
function alignRows(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows.map((cells, row) => {
    const padded = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, row === 1 ? "-" : " "));
    return `| ${padded.join(" | ")} |`;
  });
}

/** Reads the names in backticks of the paragraph behind `<!-- list: NAME -->`. */
export function readList(page: string, marker: string): readonly string[] {
  const lines = behindMarker(page, marker);
  return readNames(lines.slice(0, lines.indexOf("")).join(" "));
}

/** Reads all names in backticks, in order. */
export function readNames(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
}

/** Reads the first name in a cell. Throws if it has no name. */
export function readName(cell: string | undefined): string {
  const [name] = readNames(cell ?? "");
  if (name === undefined) throw new Error(`a cell without a name: ${cell}`);
  return name;
}

/** Reads the names at the beginning of a cell, separated by commas. The rest is prose. */
export function readLeadingNames(cell: string): string[] {
  return readNames(/^(?:`[^`]+`(?:, )?)*/.exec(cell)?.[0] ?? "");
}

/** Reads the fenced blocks of a language: the rest of the opening line, and the text. */
export function readBlocks(
  page: string,
  language: string,
): readonly { readonly label: string; readonly text: string }[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}(.*)\n([^]*?)^\`\`\`$`, "gm"))].map((match) => ({
    label: (match[1] ?? "").trim(),
    text: match[2] ?? "",
  }));
}

function behindMarker(page: string, marker: string): string[] {
  const line = `<!-- ${marker} -->`;
  const at = page.indexOf(line);
  if (at < 0) throw new Error(`there is no ${line}`);
  return page
    .slice(at + line.length)
    .trimStart()
    .split("\n");
}
