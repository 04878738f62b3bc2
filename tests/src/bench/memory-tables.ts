import type { IdleRow } from "./idle.ts";
import type { RestRow } from "./rest.ts";
import { format, judge, ratio, type Table } from "./section.ts";
import { programNames } from "./system.ts";

/** The targets: KiB per idle connection, and MiB of a system at rest with openai engines. */
const targets = { idleKib: 10, restMib: 200 } as const;

/** Writes the table of part b, first half. */
export function tabulateIdle(rows: readonly IdleRow[]): readonly Table[] {
  const find = (name: string) => rows.find(({ contender }) => contender === name);
  const [bridge, gateway] = [find("bare bridge"), find("gateway")];
  return [
    {
      title: `memory per connection, ${rows[0]?.connections ?? 0} idle connections, KiB`,
      head: ["", "resident", "/ bare bridge", "after a forced collection"],
      rows: rows.map((row) => [
        row.contender,
        format(row.settled, 1),
        ratio(row.settled, bridge?.settled),
        format(row.held, 1),
      ]),
      lines: gateway
        ? [
            judge(
              "gateway, an idle connection",
              { value: gateway.settled, digits: 1, unit: "KiB" },
              { atMost: targets.idleKib },
            ),
          ]
        : [],
    },
  ];
}

/** Writes the table of part b, second half. */
export function tabulateRest(rows: readonly RestRow[]): readonly Table[] {
  return [
    {
      title: "memory of a system at rest, MiB",
      head: ["engines, Node's flags", ...programNames, "total", "/ no flags"],
      rows: rows.map(({ engines, flags, programs, total }) => [
        `${engines}, ${flags}`,
        ...programNames.map((program) => format(programs[program], 1)),
        format(total, 1),
        ratio(total, rows.find((row) => row.engines === engines && row.flags === "none")?.total),
      ]),
      lines: rows
        .filter(({ engines, flags }) => engines === "openai" && flags !== "none")
        .map(({ total }) =>
          judge("at rest, openai engines", { value: total, digits: 0, unit: "MiB" }, { atMost: targets.restMib }),
        ),
    },
  ];
}
