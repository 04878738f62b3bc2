import { writeRows } from "../suites/reliability-table.ts";
import type { Figures, Phase } from "./judge.ts";
import type { Row } from "./run-attack.ts";

const head = [
  "| attack | pong p50, ms | pong p99, ms | first sound p50, ms | first sound p99, ms | gap p99, ms | gateway, MB | all programs, MB | gateway's descriptors | verdict |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
];

const number = (value: number) => (Number.isFinite(value) ? String(Math.round(value)) : "-");
const join = (values: readonly number[]) => values.map(number).join(" → ");

/** Formats a row of docs/reliability.md: each value before, during (memory and descriptors: at most) and after the attack. */
export function formatRow({ title, course, failures }: Row): string {
  if (course === undefined) return `| ${title} | ${Array(8).fill("-").join(" | ")} | not run |`;
  const { before, during, after } = course;
  const times = (what: "pings" | "sounds" | "gaps", quantile: "p50" | "p99") =>
    join([before, during, after].map(({ figures }) => figures[what][quantile]));
  const gateway = (phase: Phase) => phase.stretch.vitals.find(({ program }) => program === "gateway");
  const sum = ({ stretch }: Phase, field: "rss" | "peakRss") =>
    stretch.vitals.reduce((total, one) => total + (one.program === "nats-server" ? 0 : one[field]), 0);
  const cells = [
    times("pings", "p50"),
    times("pings", "p99"),
    times("sounds", "p50"),
    times("sounds", "p99"),
    times("gaps", "p99"),
    join([gateway(before)?.rss ?? NaN, gateway(during)?.peakRss ?? NaN, gateway(after)?.rss ?? NaN]),
    join([sum(before, "rss"), sum(during, "peakRss"), sum(after, "rss")]),
    join([gateway(before)?.handles ?? NaN, gateway(during)?.peakHandles ?? NaN, gateway(after)?.handles ?? NaN]),
  ];
  return `| ${[title, ...cells, failures.length === 0 ? "ok" : "FAILED"].join(" | ")} |`;
}

/** Formats the table of docs/reliability.md. */
export function formatTable(rows: readonly Row[]): string {
  return [...head, ...rows.map(formatRow)].join("\n");
}

/** Describes a row for a terminal: the bystanders, each program, the attack's own numbers and the failures. */
export function describeRow({ course, notes, failures }: Row): string {
  const lines: string[] = [];
  if (course) {
    const phases = [course.before, course.during, course.after];
    const spread = (what: "pings" | "sounds" | "gaps") =>
      phases.map(({ figures }) => describeSpread(figures, what)).join(" → ");
    lines.push(
      `pong ${spread("pings")} ms; first sound ${spread("sounds")} ms; gap ${spread("gaps")} ms (p50/p99 of n)`,
    );
    lines.push(`machine's lag p99 ${join(phases.map(({ figures }) => figures.lag))} ms`);
    for (const { program, pid } of course.before.stretch.vitals) {
      const of = phases.map(({ stretch }) => stretch.vitals.find((one) => one.pid === pid));
      const held = [course.heldBefore, course.heldAfter].map(({ processes }) => processes.get(program)?.held ?? NaN);
      const rss = join([of[0]?.rss ?? NaN, of[1]?.peakRss ?? NaN, of[2]?.rss ?? NaN]);
      const handles = join([of[0]?.handles ?? NaN, of[1]?.peakHandles ?? NaN, of[2]?.handles ?? NaN]);
      const cpu = of.map((one) => one?.cpu.toFixed(2) ?? "-").join(" → ");
      lines.push(`${program.padEnd(12)} ${rss} MB, holds ${join(held)} MB, ${handles} descriptors, ${cpu} of a core`);
    }
    lines.push(`the gateway buffered ${join(phases.map(({ stretch }) => stretch.buffered / 1024))} KiB`);
  }
  const noted = Object.entries(notes).map(([what, count]) => `${what} ${count}`);
  if (noted.length > 0) lines.push(noted.join(", "));
  lines.push(...failures.map((failure) => `! ${failure}`), failures.length === 0 ? "ok" : "FAILED");
  return lines.map((line) => `  ${line}\n`).join("");
}

function describeSpread(figures: Figures, what: "pings" | "sounds" | "gaps"): string {
  const { p50, p99, count } = figures[what];
  return `${number(p50)}/${number(p99)} of ${count}`;
}

/**
 * Writes rows into the table of docs/reliability.md, in the order of `titles`. Rows of other attacks stay. Throws if the page
 * has no marks for the table.
 */
export function writeTable(rows: readonly Row[], titles: readonly string[]): void {
  writeRows({ name: "attacks", head, order: titles }, new Map(rows.map((row) => [row.title, formatRow(row)])));
}
