import type { BusRow } from "./bus.ts";
import type { EchoRow } from "./echo.ts";
import type { FirstPacketRow } from "./first-packets.ts";
import type { PacingRow } from "./pacing.ts";
import type { PathRow } from "./paths.ts";
import { format, judge, percent, ratio, type Table } from "./section.ts";

/** The targets: ratios of the gateway to the bare bridge, and the share of packets more than 65 ms after the one before. */
const targets = { rate: 0.9, p99: 1.2, over65: 0.01 } as const;

/** Writes the tables of part a for one number of connections. `problem` tells why socket.io is missing. */
export function tabulateEcho(rows: readonly EchoRow[], problem: string | undefined): readonly Table[] {
  return (["closed", "paced"] as const).flatMap((mode) => {
    const chosen = rows.filter((row) => row.mode === mode);
    const [any] = chosen;
    const find = (name: string) => chosen.find(({ contender }) => contender === name);
    const [bridge, gateway] = [find("bare bridge"), find("gateway")];
    const socketIo = find("socket.io");
    if (!any) return [];
    const load = mode === "closed" ? "closed loop" : "16.7 frames/s each";
    const name = `${any.connections} connections, ${load}, gateway / bare bridge`;
    return [
      {
        title: `echo of 160-byte frames, ${any.connections} connections, ${load}`,
        head: [
          "", "frames/s", "/ bare bridge", "p50 ms", "p99 ms", "/ bare bridge", "CPU µs/frame: edge", "echo", "broker", "load",
          "load busy", "sent", "lost",
        ],
        rows: chosen.map((row) => [
          row.contender,
          format(row.rate, 0),
          ratio(row.rate, bridge?.rate),
          format(row.p50),
          format(row.p99),
          ratio(row.p99, bridge?.p99),
          ...[row.cpu.edge, row.cpu.echo, row.cpu.broker, row.cpu.load].map((value) => format(value, 0)),
          percent(row.loadBusy, 0),
          String(row.sent),
          row.lost === 0 ? "0" : `${row.lost} ${JSON.stringify(row.drops)}`,
        ]),
        lines:
          bridge && gateway
            ? [
                judge(`${name}, frames/s`, { value: gateway.rate / bridge.rate }, { atLeast: targets.rate }),
                judge(`${name}, p99`, { value: gateway.p99 / bridge.p99 }, { atMost: targets.p99 }),
                `${name}, CPU of the edge: ${ratio(gateway.cpu.edge, bridge.cpu.edge)}`,
                socketIo
                  ? `gateway / socket.io: frames/s ${ratio(gateway.rate, socketIo.rate)}, p99 ${ratio(gateway.p99, socketIo.p99)}, ` +
                    `CPU of the edge ${ratio(gateway.cpu.edge, socketIo.cpu.edge)}`
                  : `socket.io was not measured: ${problem ?? "it did not run"}`,
              ]
            : [],
      },
    ];
  });
} /* prettier-ignore */

/** Writes the table of part h. */
export function tabulatePaths(rows: readonly PathRow[]): readonly Table[] {
  return [
    {
      title: "hot code paths, CPU µs per call",
      head: ["", "baseline", "µs", "now", "ratio"],
      rows: rows.map(({ what, baseline, baselineUs, us }) => [
        what,
        baseline,
        format(baselineUs),
        format(us),
        ratio(us, baselineUs),
      ]),
      lines: [],
    },
  ];
}

/** Writes the table of the part opus-out. */
export function tabulateFirstPackets(rows: readonly FirstPacketRow[]): readonly Table[] {
  const [baseline] = rows;
  return [
    {
      title: `first packets of ${baseline?.replies ?? 0} replies that begin at once, one encoder thread`,
      head: ["", "p50 ms", "/ arrival order", "p99 ms", "/ arrival order"],
      rows: rows.map((row) => [
        row.contender,
        format(row.p50, 1),
        ratio(row.p50, baseline?.p50),
        format(row.p99, 1),
        ratio(row.p99, baseline?.p99),
      ]),
      lines: [],
    },
  ];
}

/** Writes the table of the part play-out. */
export function tabulatePacing(rows: readonly PacingRow[]): readonly Table[] {
  const find = (name: string) => rows.find(({ contender }) => contender === name);
  const [baseline, gateway] = [find("bare timers"), find("gateway")];
  return [
    {
      title: `gaps between the packets of replies, ${rows[0]?.devices ?? 0} devices`,
      head: ["", "packets", "p50 ms", "p99 ms", "over 65 ms", "over 120 ms"],
      rows: rows.map((row) => [
        row.contender,
        String(row.count),
        format(row.p50),
        format(row.p99),
        percent(row.over65),
        percent(row.over120),
      ]),
      lines: gateway
        ? [
            judge("gateway, over 65 ms", { value: gateway.over65 * 100, unit: "%" }, { atMost: targets.over65 * 100 }),
            `gateway / bare timers, p99: ${ratio(gateway.p99, baseline?.p99)}`,
          ]
        : [],
    },
  ];
}

/** Writes the table of the part bus. */
export function tabulateBus(rows: readonly BusRow[]): readonly Table[] {
  return [
    {
      title: "the bus",
      head: ["", "messages", "p50 ms", "p99 ms", "p50 / baseline", "p99 / baseline", "CPU µs/message", "lost"],
      rows: rows.map((row) => {
        const baseline = rows.find(({ what, name }) => what === row.what && name === row.baseline);
        return [
          `${row.what}: ${row.name}`,
          String(row.count),
          format(row.p50),
          format(row.p99),
          ratio(row.p50, baseline?.p50),
          ratio(row.p99, baseline?.p99),
          row.cpu === undefined ? "" : format(row.cpu, 0),
          String(row.lost),
        ];
      }),
      lines: [],
    },
  ];
}
