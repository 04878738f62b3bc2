import { readFileSync, writeFileSync } from "node:fs";
import { format as prettify, resolveConfig } from "prettier";
import { root } from "./child.ts";
import type { Busy, Conditions } from "./machine.ts";
import { parts, usualParts, type PartName } from "./options.ts";
import { format, writeMarkdown, type Table, type Verdict } from "./section.ts";

/** A part that was measured, wholly or up to its failure. */
export interface MeasuredPart {
  readonly name: PartName;
  readonly tables: readonly Table[];
  readonly busy: Busy;
  /** True if the machine was too busy with other things. */
  readonly isVoid: boolean;
  readonly error: string | undefined;
}

const page = `${root}docs/performance.md`;

/**
 * Writes parts into docs/performance.md, each between its own two marks. Everything else in it stays, and so do parts that
 * were not measured; the table of targets is written anew if all were. Throws if a mark is missing.
 */
export async function writeDocument(conditions: Conditions, measured: readonly MeasuredPart[]): Promise<void> {
  let text = readFileSync(page, "utf8");
  for (const part of measured) text = replaceBetween(text, part.name, writePart(part, conditions));
  const isWhole = usualParts.every((name) => measured.some((part) => part.name === name));
  if (isWhole) text = replaceBetween(text, "targets", writeTargets(measured));
  writeFileSync(page, await prettify(text, { ...(await resolveConfig(page)), filepath: page }));
}

/** Throws an error if docs/performance.md lacks the marks of one of these parts, or those of the targets. */
export function checkDocument(names: readonly PartName[]): void {
  const text = readFileSync(page, "utf8");
  for (const name of [...names, "targets"]) replaceBetween(text, name, "");
}

/** Replaces what stands between the marks `<!-- bench: name -->` and `<!-- /bench: name -->`. */
export function replaceBetween(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- bench: ${name} -->`, `<!-- /bench: ${name} -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/performance.md: the marks ${begin} and ${end} are missing`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

function writePart({ name, tables, busy, isVoid, error }: MeasuredPart, conditions: Conditions): string {
  const { commit, node, nats, cores, cpu } = conditions;
  const head = isVoid ? "**Void: the machine was too busy with other programs.** " : "";
  const where = `Commit ${commit}, Node ${node}, nats-server ${nats}, ${cores} cores (${cpu}).`;
  const load = `Other programs used ${format(busy.others)} cores, ours ${format(busy.ours)}, for ${format(busy.seconds, 0)} s.`;
  const failure = error === undefined ? "" : `\n\n**This part failed and is not complete:** ${hidePaths(error)}`;
  return [`### Part ${name}: ${parts[name]}`, `${head}${where} ${load}${failure}`, ...tables.map(writeMarkdown)].join(
    "\n\n",
  );
}

function writeTargets(measured: readonly MeasuredPart[]): string {
  const rows = measured.flatMap(({ name, tables, isVoid }) =>
    tables.flatMap(({ lines }) =>
      lines.filter((line) => typeof line !== "string").map((line) => writeTarget(name, line, isVoid)),
    ),
  );
  return ["| part | target | measured | |", "| --- | --- | --: | --- |", ...rows].join("\n");
}

function writeTarget(part: string, { what, value, target, met }: Verdict, isVoid: boolean): string {
  return `| ${part} | ${what} ${target} | ${value} | ${isVoid ? "void" : met ? "met" : "**missed**"} |`;
}

/** Takes the paths of this machine out of an error. */
function hidePaths(text: string): string {
  return text.replaceAll(root, "").replaceAll(/\/(tmp|home|root)\/\S+/g, "…");
}
