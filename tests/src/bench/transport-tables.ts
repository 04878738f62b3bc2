import type { Tail } from "./numbers.ts";
import { format, judge, ratio, type Table, type Verdict } from "./section.ts";
import type { TransportRow } from "./transports.ts";

/** The share of WebSocket's figure that MQTT and UDP may have. */
const most = { atMost: 1.1 };

/** One figure of a transport. */
interface Figure {
  readonly name: string;
  readonly of: (row: TransportRow) => number | undefined;
  readonly digits: number;
  /** True if the ratio is a target. */
  readonly judged?: boolean;
}

const figures: readonly Figure[] = [
  { name: "end of speech to first sound p50, ms", of: ({ firstSound }) => firstSound.p50, digits: 0, judged: true },
  { name: "the same, p95, ms", of: ({ firstSound }) => firstSound.p95, digits: 0 },
  { name: "abort to tts stop p50, ms", of: ({ silenced }) => silenced.p50, digits: 2, judged: true },
  { name: "CPU of the gateway per frame, µs", of: ({ frameUs }) => frameUs, digits: 1, judged: true },
  { name: "memory per idle device, KiB", of: ({ memory }) => memory, digits: 1, judged: true },
  { name: "all back at once, s", of: ({ back }) => back.all / 1000, digits: 1, judged: true },
  { name: "a device back p50, s", of: ({ back }) => back.back.p50 / 1000, digits: 1 },
  { name: "all in presence, s", of: ({ back }) => (back.presence ?? Number.NaN) / 1000, digits: 1 },
  { name: "attempts refused", of: ({ back }) => back.refused, digits: 0 },
  { name: "bystander, text to first sound p50 before, ms", of: ({ back }) => back.before?.p50, digits: 0 },
  { name: "the same, meanwhile, ms", of: ({ back }) => back.meanwhile?.p50, digits: 0 },
  { name: "the same, p99 meanwhile, ms", of: ({ back }) => back.meanwhile?.p99, digits: 0 },
  { name: "most memory of the gateway, MiB", of: ({ back }) => back.peakMib, digits: 0, judged: true },
  { name: "frames lost", of: ({ lost }) => lost, digits: 0 },
];

/** Shows both transports beside each other. */
export function tabulateTransports(rows: readonly TransportRow[], devices: number): readonly Table[] {
  const [web, mqtt] = rows;
  const reached = (what: string, tail: Tail | undefined, atMost: number): Verdict =>
    judge(what, { value: tail?.p50 ?? Number.NaN, unit: "ms" }, { atMost });
  return [
    {
      title: `one gateway, both transports, ${devices} idle devices`,
      head: ["", ...rows.map(({ transport }) => transport), "ratio"],
      rows: figures.map(({ name, of, digits }) => [
        name,
        ...rows.map((row) => format(of(row), digits)),
        ratio(mqtt && of(mqtt), web && of(web)),
      ]),
      lines: [
        ...figures.flatMap(({ name, of, judged }) =>
          judged ? [judge(`${name}, MQTT / WebSocket`, { value: divide(mqtt && of(mqtt), web && of(web)) }, most)] : [],
        ),
        reached("alert to an idle device, p50", mqtt?.alert, 50),
        reached("tool call of an idle device, p50", mqtt?.call, 20),
      ],
    },
  ];
}

function divide(value = Number.NaN, baseline = Number.NaN): number {
  return value / baseline;
}
