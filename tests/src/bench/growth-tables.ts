import type { DevicesRow, GatewaysRow } from "./growth.ts";
import { format, percent, ratio, type Table } from "./section.ts";
import { addUp } from "./system.ts";
import type { TurnRow } from "./turns.ts";

/** The turns of the same devices with several processes of asr, dialogue and tts each. */
export interface WorkersRow {
  readonly workers: number;
  readonly turns: TurnRow;
}

/** Writes the table of the cost of each device. */
export function tabulateDevices(rows: readonly DevicesRow[]): readonly Table[] {
  const few = rows[0];
  return [
    {
      title: "growth: the cost of a device on one gateway",
      head: [
        "idle devices", "gateway KiB/device", "nats-server KiB/device", "idle CPU ms/s per 1,000", "/ fewest",
        "echo of the same load p50/p99 ms", "CPU µs/frame", "/ fewest",
      ],
      rows: rows.map((row) => [
        String(row.devices),
        format(row.gatewayKib, 1),
        format(row.natsKib, 1),
        format(row.idleMs, 1),
        ratio(row.idleMs, few?.idleMs),
        `${format(row.p50)}/${format(row.p99)}`,
        format(row.frameUs, 0),
        ratio(row.frameUs, few?.frameUs),
      ]),
      lines: [`idle devices are pinged ${few?.pings ?? 1} times as often as by default`],
    },
  ];
} /* prettier-ignore */

/** Writes the table of several gateways. */
export function tabulateGateways(rows: readonly GatewaysRow[]): readonly Table[] {
  const one = rows[0];
  return [
    {
      title: `growth: gateways on one machine, ${one?.connections ?? 0} connections in a closed loop`,
      head: ["gateways", "frames/s", "/ fewest", "p50 ms", "p99 ms", "/ fewest", "CPU µs/frame of the gateways", "/ fewest", "memory MiB"],
      rows: rows.map((row) => [
        `${row.gateways}${row.gateways === 1 ? "" : row.ports === "one" ? " behind one port" : ", a port each"}`,
        format(row.rate, 0),
        ratio(row.rate, one?.rate),
        format(row.p50),
        format(row.p99),
        ratio(row.p99, one?.p99),
        format(row.frameUs, 0),
        ratio(row.frameUs, one?.frameUs),
        format(row.memory, 0),
      ]),
      lines: ["more gateways than cores share them, and the load, the echo and nats-server need some, too"],
    },
  ];
} /* prettier-ignore */

/** Writes the table of several workers. */
export function tabulateWorkers(rows: readonly WorkersRow[]): readonly Table[] {
  const one = rows[0]?.turns;
  return [
    {
      title: `growth: processes of asr, dialogue and tts, ${one?.devices ?? 0} talking devices, instant engines`,
      head: [
        "of each", "turns", "text → first sound p50/p99 ms", "p99 / fewest", "transcript → first sound p50/p99 ms", "late > 65 ms",
        "CPU ms/turn", "/ fewest", "PSS MiB", "asr + dialogue + tts ms/turn",
      ],
      rows: rows.map(({ workers, turns }) => [
        String(workers),
        `${turns.turns} (${percent(turns.ended.answered / turns.turns, 0)} answered)`,
        `${format(turns.text.p50, 0)}/${format(turns.text.p99, 0)}`,
        ratio(turns.text.p99, one?.text.p99),
        `${format(turns.beyond.p50, 0)}/${format(turns.beyond.p99, 0)}`,
        percent(turns.over65),
        format(turns.cpu, 1),
        ratio(turns.cpu, one?.cpu),
        format(turns.pss, 0),
        format(addUp({ ...turns.cpuOf, nats: 0, gateway: 0, monitor: 0 }), 1),
      ]),
      lines: [],
    },
  ];
} /* prettier-ignore */
