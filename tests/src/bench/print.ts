import type { BusRow } from "./bus.ts";
import type { EchoRow } from "./echo.ts";
import type { IdleRow } from "./idle.ts";
import type { PacingRow } from "./pacing.ts";
import type { PathRow } from "./paths.ts";
import type { RestRow } from "./rest.ts";

/**
 * The targets: the gateway's ratios to the bare bridge, KiB per connection, MiB of a system at rest with openai engines, and
 * the share of packets that come more than 65 ms after the one before.
 */
export const targets = { rate: 0.9, p99: 1.2, idleKib: 10, restMib: 200, over65: 0.01 } as const;

/** Shows the running measurement, on a terminal in a single line. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text} `);
}

/** Prints part a for one number of connections. */
export function printEcho(rows: readonly EchoRow[]): void {
  for (const mode of ["closed", "paced"] as const) {
    const chosen = rows.filter((row) => row.mode === mode);
    const baseline = chosen.find(({ contender }) => contender === "bare bridge");
    const gateway = chosen.find(({ contender }) => contender === "gateway");
    if (!baseline || !gateway) continue;
    const load = mode === "closed" ? "closed loop" : "16.7 frames/s each";
    printTable(
      `echo of 160-byte frames, ${gateway.connections} connections, ${load}`,
      ["", "frames/s", "p50 ms", "p99 ms", "CPU µs/frame: edge", "echo", "nats", "load", "load busy", "sent", "lost"],
      chosen.map((row) => [
        row.contender,
        row.rate.toFixed(0),
        row.p50.toFixed(2),
        row.p99.toFixed(2),
        ...[row.cpu.edge, row.cpu.echo, row.cpu.nats, row.cpu.load].map((value) => value.toFixed(0)),
        `${(row.loadBusy * 100).toFixed(0)} %`,
        String(row.sent),
        row.lost === 0 ? "0" : `${row.lost} ${JSON.stringify(row.drops)}`,
      ]),
    );
    const rate = gateway.rate / baseline.rate;
    const p99 = gateway.p99 / baseline.p99;
    const edge = gateway.cpu.edge / baseline.cpu.edge;
    print(
      `  gateway / bare bridge: frames/s ${judge(rate, rate >= targets.rate, `>= ${targets.rate}`)}, ` +
        `p99 ${judge(p99, p99 <= targets.p99, `<= ${targets.p99}`)}, CPU of the edge ${edge.toFixed(2)}`,
    );
  }
}

/** Prints part b. */
export function printIdle(rows: readonly IdleRow[]): void {
  printTable(
    `memory per connection, ${rows[0]?.connections ?? 0} idle connections, KiB`,
    ["", "resident", "after a forced collection"],
    rows.map((row) => [row.contender, row.settled.toFixed(1), row.held.toFixed(1)]),
  );
  const gateway = rows.find(({ contender }) => contender === "gateway");
  const bridge = rows.find(({ contender }) => contender === "bare bridge");
  if (!gateway || !bridge) return;
  print(
    `  gateway: ${judge(gateway.settled, gateway.settled <= targets.idleKib, `<= ${targets.idleKib} KiB`)}, ` +
      `gateway / bare bridge ${(gateway.settled / bridge.settled).toFixed(2)}`,
  );
}

/** Prints the second half of part b. */
export function printRest(rows: readonly RestRow[]): void {
  const programs = Object.keys(rows[0]?.programs ?? {});
  printTable(
    "memory of a system at rest, MiB",
    ["engines, Node's flags", ...programs, "total"],
    rows.map(({ engines, flags, programs: sizes, total }) => [
      `${engines}, ${flags}`,
      ...programs.map((program) => (sizes[program] ?? 0).toFixed(1)),
      total.toFixed(1),
    ]),
  );
  for (const row of rows.filter(({ flags }) => flags !== "none")) {
    const baseline = rows.find(({ engines, flags }) => engines === row.engines && flags === "none");
    const target =
      row.engines === "openai" ? judge(row.total, row.total <= targets.restMib, `<= ${targets.restMib} MiB`) : "";
    print(
      `  ${row.engines}: flags / no flags ${(row.total / (baseline?.total ?? NaN)).toFixed(2)} ${target}`.trimEnd(),
    );
  }
}

/** Prints part h. */
export function printPaths(rows: readonly PathRow[]): void {
  printTable(
    "hot code paths, CPU µs per call",
    ["", "baseline", "µs", "now", "ratio"],
    rows.map(({ what, baseline, baselineUs, us }) => [
      what,
      baseline,
      baselineUs.toFixed(2),
      us.toFixed(2),
      (us / baselineUs).toFixed(2),
    ]),
  );
}

/** Prints part p. */
export function printPacing(rows: readonly PacingRow[]): void {
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  printTable(
    `gaps between the packets of replies, ${rows[0]?.devices ?? 0} devices`,
    ["", "packets", "p50 ms", "p99 ms", "over 65 ms", "over 120 ms"],
    rows.map((row) => [
      row.contender,
      String(row.count),
      row.p50.toFixed(2),
      row.p99.toFixed(2),
      percent(row.over65),
      percent(row.over120),
    ]),
  );
  const [baseline, gateway] = ["bare timers", "gateway"].map((name) =>
    rows.find(({ contender }) => contender === name),
  );
  if (!baseline || !gateway) return;
  print(
    `  gateway: over 65 ms ${judge(gateway.over65 * 100, gateway.over65 <= targets.over65, `<= ${targets.over65 * 100} %`)}, ` +
      `gateway / bare timers: p99 ${(gateway.p99 / baseline.p99).toFixed(2)}`,
  );
}

/** Prints part c. */
export function printBus(rows: readonly BusRow[]): void {
  printTable(
    "the bus",
    ["", "messages", "p50 ms", "p99 ms", "p50 / baseline", "p99 / baseline", "CPU µs/message", "lost"],
    rows.map((row) => {
      const baseline = rows.find(({ what, name }) => what === row.what && name === row.baseline);
      const ratio = (field: "p50" | "p99") => (baseline ? (row[field] / baseline[field]).toFixed(2) : "");
      return [
        `${row.what}: ${row.name}`,
        String(row.count),
        row.p50.toFixed(2),
        row.p99.toFixed(2),
        ratio("p50"),
        ratio("p99"),
        row.cpu === undefined ? "" : row.cpu.toFixed(0),
        String(row.lost),
      ];
    }),
  );
}

function judge(value: number, met: boolean, target: string): string {
  return `${value.toFixed(2)} (${met ? "meets" : "misses"} ${target})`;
}

function printTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((cell, at) => Math.max(cell.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join("  ")}`;
  showProgress("");
  print(`\n${title}\n${[head, ...rows].map((cells) => line(cells).trimEnd()).join("\n")}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
