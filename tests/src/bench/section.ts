/** A figure beside the target it is measured by. */
export interface Verdict {
  readonly what: string;
  readonly value: string;
  readonly target: string;
  readonly met: boolean;
}

/** A table of figures, and the lines below it. */
export interface Table {
  readonly title: string;
  /** Named columns; the first one names the rows. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly lines: readonly (string | Verdict)[];
}

/** Judges a figure. `digits` are those after the point. A figure that is missing misses its target. */
export function judge(
  what: string,
  { value, digits = 2, unit = "" }: { readonly value: number; readonly digits?: number; readonly unit?: string },
  target: { readonly atMost: number } | { readonly atLeast: number },
): Verdict {
  const isMost = "atMost" in target;
  const bound = isMost ? target.atMost : target.atLeast;
  return {
    what,
    value: `${format(value, digits)}${unit && ` ${unit}`}`,
    target: `${isMost ? "<=" : ">="} ${bound}${unit && ` ${unit}`}`,
    met: isMost ? value <= bound : value >= bound,
  };
}

/** Formats a number with `digits` after the point, or a dash for a missing one. */
export function format(value: number | undefined, digits = 2): string {
  return value === undefined || !Number.isFinite(value) ? "-" : value.toFixed(digits);
}

/** Formats a share from 0 to 1 in percent. */
export function percent(share: number, digits = 2): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : "-";
}

/** Formats a ratio to a baseline. */
export function ratio(value: number | undefined, baseline: number | undefined): string {
  return format((value ?? Number.NaN) / (baseline ?? Number.NaN));
}

/** Writes a table for a terminal. */
export function writeText({ title, head, rows, lines }: Table): string {
  const widths = head.map((cell, at) => Math.max(cell.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const pad = (cells: readonly string[]) =>
    `  ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join("  ")}`;
  const table = rows.length === 0 ? [] : [head, ...rows].map((cells) => pad(cells).trimEnd());
  return [`\n${title}`, ...table, ...lines.map((line) => `  ${writeLine(line)}`)].join("\n");
}

/** Writes a table in Markdown. */
export function writeMarkdown({ title, head, rows, lines }: Table): string {
  const row = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const align = head.map((_, at) => (at === 0 ? "---" : "--:"));
  const table = rows.length === 0 ? "" : `\n\n${[head, align, ...rows].map(row).join("\n")}`;
  const list = lines.length === 0 ? "" : `\n\n${lines.map((line) => `- ${writeLine(line)}`).join("\n")}`;
  return `#### ${title[0]?.toUpperCase()}${title.slice(1)}${table}${list}\n`;
}

function writeLine(line: string | Verdict): string {
  if (typeof line === "string") return line;
  const { what, value, target, met } = line;
  return `${what}: ${value} (${met ? "meets" : "misses"} ${target})`;
}
