import { format, judge, percent, ratio, type Table, type Verdict } from "./section.ts";
import { programNames } from "./system.ts";
import { lateMs, type EnginesRow, type TurnRow } from "./turns.ts";
import type { Tail } from "./numbers.ts";

/** The targets for turns of two idle cores, by the number of devices. Times in ms. */
const targets = {
  instant: {
    100: { text: 50, beyond: 60, cpu: 65, pss: 450 },
    200: { text: 100, beyond: 120, over65: 0.01, over120: 0, silence: 20 },
    toldMs: 500,
    crowd: 300,
  },
  embedded: { devices: 50, speechP95: 1200 },
} as const;

/** The share of answered turns below which the cost of a turn is not judged. */
const leastAnswered = 0.99;

/** Writes the tables of part c for one kind of engines. */
export function tabulateTurns(rows: readonly TurnRow[], baseline: EnginesRow | undefined): readonly Table[] {
  const [first] = rows;
  if (!first) return [];
  const title = `${first.engines} engines`;
  return [tabulateLatencies(rows, baseline, title), tabulateEndings(rows, title), tabulateCosts(rows, title)];
}

function tabulateLatencies(rows: readonly TurnRow[], baseline: EnginesRow | undefined, title: string): Table {
  const alone = baseline?.alone;
  const few = rows[0]!;
  return {
    title: `latencies of turns, ${title}, p50/p95/p99 ms`,
    head: [
      "devices", "turns", "hello", "text → first sound", "p99 / fewest devices", "speech → transcript",
      "transcript → first sound", "speech → first sound", "late > 65 ms", "> 120 ms", "abort → silence",
    ],
    rows: rows.map((row) => [
      String(row.devices),
      String(row.turns),
      writeTail(row.hello),
      writeTail(row.text),
      ratio(row.text.p99, few.text.p99),
      writeTail(row.transcript),
      writeTail(row.beyond),
      writeTail(row.speech),
      percent(row.over65),
      percent(row.over120),
      writeTail(row.silence, 1),
    ]),
    lines: [
      ...(alone
        ? [
            `the engines alone, question → first byte of sound: ${writeTail(alone, 1)}; text → first sound with ` +
              `${few.devices} devices / the engines alone: p50 ${ratio(few.text.p50, alone.p50)}`,
          ]
        : []),
      ...judgeLatencies(rows),
      describeKnee(rows),
    ],
  };
} /* prettier-ignore */

function tabulateEndings(rows: readonly TurnRow[], title: string): Table {
  return {
    title: `endings of turns, ${title}`,
    head: [
      "devices", "turns", "answered", "after a notice", "apologized", "shed", "silent", "lost", "told to wait, or no", "after p50/p95/p99 ms",
      "not told", "outcomes at the gateway",
    ],
    rows: rows.map(({ devices, turns, ended, told, late, untold, outcomes, closed }) => [
      String(devices),
      String(turns),
      `${ended.answered} (${percent(ended.answered / turns, 0)})`,
      String(late),
      ...[ended.apologized, ended.shed, ended.silent, ended.lost].map(String),
      String(told.count),
      writeTail(told),
      String(untold),
      [
        ...Object.entries(outcomes).map(([name, count]) => `${name} ${count}`),
        ...(closed > 0 ? [`${closed} connections closed`] : []),
      ].join(", "),
    ]),
    lines: judgeEndings(rows),
  };
} /* prettier-ignore */

function tabulateCosts(rows: readonly TurnRow[], title: string): Table {
  const few = rows[0]!;
  return {
    title: `cost of turns, ${title}`,
    head: [
      "devices", "CPU ms/turn", "/ fewest devices", "CPU ms/s per device", "/ fewest devices",
      ...programNames.map((name) => name), "cores: programs", "engines", "load",
      "others", "PSS MiB", "per device", "load's loop p99 ms",
    ],
    rows: rows.map((row) => [
      String(row.devices),
      format(row.cpu, 1),
      ratio(row.cpu, few.cpu),
      format(cpuPerDevice(row), 1),
      ratio(cpuPerDevice(row), cpuPerDevice(few)),
      ...programNames.map((name) => format(row.cpuOf[name], 1)),
      ...[row.cores, row.enginesCores, row.loadCores, row.othersCores].map((value) => format(value)),
      format(row.pss, 0),
      format(row.pssPerDevice),
      format(row.loopDelay, 1),
    ]),
    lines: judgeCosts(rows),
  };
} /* prettier-ignore */

/** The CPU time that a device takes in a second of talking, pauses included, ms. */
function cpuPerDevice({ cores, devices }: TurnRow): number {
  return (cores * 1000) / devices;
}

function judgeLatencies(rows: readonly TurnRow[]): readonly Verdict[] {
  return rows.flatMap((row) => {
    const name = `${row.devices} devices`;
    if (row.engines === "embedded") {
      const { devices, speechP95 } = targets.embedded;
      if (row.devices !== devices) return [];
      return [judgeMs(`${name}, embedded engines, end of speech → first sound, p95`, row.speech.p95, speechP95)];
    }
    if (row.devices !== 100 && row.devices !== 200) return [];
    const target = targets.instant[row.devices];
    return [
      judgeMs(`${name}, text → first sound, p99`, row.text.p99, target.text),
      judgeMs(`${name}, transcript → first sound, p99`, row.beyond.p99, target.beyond),
      ...("over65" in target
        ? [
            judge(`${name}, packets over 65 ms late`, { value: row.over65 * 100, unit: "%" }, { atMost: target.over65 * 100 }),
            judge(`${name}, packets over 120 ms late`, { value: row.over120 * 100, unit: "%" }, { atMost: target.over120 }),
            judgeMs(`${name}, abort → silence, p99`, row.silence.p99, target.silence),
          ]
        : []),
    ];
  });
} /* prettier-ignore */

function judgeEndings(rows: readonly TurnRow[]): readonly (Verdict | string)[] {
  return rows.flatMap((row) => {
    if (row.engines !== "instant") return [];
    const { ended, devices } = row;
    if (devices === 200) {
      const value = row.turns - ended.answered;
      return [judge(`${devices} devices, turns without the sound of an answer`, { value, digits: 0 }, { atMost: 0 })];
    }
    if (devices !== targets.instant.crowd) return [];
    const untold = judge(
      `${devices} devices, turns without an answer within ${lateMs / 1000} s or a notice`,
      { value: row.untold, digits: 0 },
      { atMost: 0 },
    );
    if (row.told.count === 0) return [untold];
    return [untold, judgeMs(`${devices} devices, time until the device is told, p99`, row.told.p99, targets.instant.toldMs)];
  });
} /* prettier-ignore */

function judgeCosts(rows: readonly TurnRow[]): readonly Verdict[] {
  return rows.flatMap((row) => {
    if (row.engines !== "instant" || row.devices !== 100) return [];
    const { cpu, pss } = targets.instant[100];
    // A turn without an answer is cheap.
    const value = row.ended.answered < row.turns * leastAnswered ? Number.NaN : row.cpu;
    return [
      judge("100 devices, CPU per turn", { value, digits: 1, unit: "ms" }, { atMost: cpu }),
      judge("100 devices, memory of all programs", { value: row.pss, digits: 0, unit: "MiB" }, { atMost: pss }),
    ];
  });
}

/** Tells the largest number of devices within the targets for 200 devices; all smaller numbers must be, too. */
function describeKnee(rows: readonly TurnRow[]): string {
  const { text, beyond, over65, over120, silence } = targets.instant[200];
  const isWithin = (row: TurnRow) =>
    row.ended.answered === row.turns &&
    row.late === 0 &&
    (row.engines === "embedded"
      ? isAtMost(row.speech, "p95", targets.embedded.speechP95)
      : isAtMost(row.text, "p99", text) &&
        isAtMost(row.beyond, "p99", beyond) &&
        isAtMost(row.silence, "p99", silence)) &&
    row.over65 < over65 &&
    row.over120 <= over120;
  const beyondKnee = rows.findIndex((row) => !isWithin(row));
  const knee = rows[beyondKnee < 0 ? rows.length - 1 : beyondKnee - 1];
  const limits =
    rows[0]?.engines === "embedded"
      ? `end of speech → first sound p95 <= ${targets.embedded.speechP95} ms`
      : `first sound p99 <= ${text} ms after a text and <= ${beyond} ms after a transcript, silence <= ${silence} ms`;
  const found = knee ? `${knee.devices} devices${beyondKnee < 0 ? " or more" : ""}` : "below the fewest devices";
  return `knee: ${found} (all answered, ${limits}, packets over 65 ms late < ${over65 * 100} %, over 120 ms none)`;
}

/** True if a quantile is within a bound, or if nothing was measured. */
function isAtMost(tail: Tail, quantile: "p95" | "p99", most: number): boolean {
  return tail.count === 0 || tail[quantile] <= most;
}

function judgeMs(what: string, value: number, atMost: number): Verdict {
  return judge(what, { value, digits: 1, unit: "ms" }, { atMost });
}

function writeTail({ count, p50, p95, p99 }: Tail, digits = 0): string {
  return count === 0 ? "-" : [p50, p95, p99].map((value) => value.toFixed(digits)).join("/");
}
