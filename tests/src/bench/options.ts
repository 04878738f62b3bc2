import { parseArgs } from "node:util";
import { engineKinds, type EngineKind } from "./system.ts";

/** The parts of the benchmark, in the order in which they run. */
export const parts = {
  a: "frames: echo through gateway and bus",
  b: "memory: idle connections, and at rest",
  c: "turns: talking devices",
  d: "reconnection of all devices at once",
  e: "fleet.out: one message to every device",
  f: "growth: devices, gateways, workers",
  g: "presence of very many devices",
  h: "hot code paths",
  bus: "the bus: claim, follow, replay",
  "opus-out": "the first packets of replies that begin at once",
  "play-out": "the gaps between the packets of replies",
  isolation: "talking devices beside a bad program",
  transports: "WebSocket beside MQTT and UDP",
  reach: "idle devices, reached over the API",
} as const;
export type PartName = keyof typeof parts;
const partNames = Object.keys(parts) as readonly PartName[];
/** Parts that only run when they are named: with them, a run takes half as long again. */
const onlyNamed: readonly PartName[] = ["isolation", "transports", "reach"];
/** The parts of a run that names none. */
export const usualParts = partNames.filter((name) => !onlyNamed.includes(name));

/** The numbers that options set: the meaning, the default, and that of `--quick`. Several stand in a list. */
const sizes = {
  seconds: {
    text: "length of a measured slice of the parts a, bus, play-out, transports, s",
    usual: "2",
    quick: "0.4",
  },
  repeat: { text: "slices per server of these parts, interleaved; the median is shown", usual: "3", quick: "1" },
  connections: { text: "connections of part a", usual: "100,1000", quick: "8" },
  idle: { text: "idle connections of part b", usual: "10000", quick: "40" },
  talking: { text: "talking devices of part c, with instant engines", usual: "10,50,100,200,300", quick: "3" },
  "talking-embedded": { text: "the same with embedded engines", usual: "10,50,100", quick: "3" },
  "talk-seconds": { text: "measured time for each number of talking devices, s", usual: "22", quick: "3" },
  "warm-up-seconds": { text: "time in which 20 devices talk before, s", usual: "15", quick: "0.5" },
  reconnecting: { text: "devices of part d", usual: "5000", quick: "20" },
  fleet: { text: "devices of part e", usual: "10000", quick: "20" },
  growing: { text: "devices of part f", usual: "100,1000,10000", quick: "10,20" },
  processes: {
    text: "gateways of part f; the first and the last are also its numbers of workers",
    usual: "1,2,4",
    quick: "2",
  },
  "growing-talking": { text: "talking devices with several workers, part f", usual: "50", quick: "3" },
  presence: { text: "simulated devices of part g", usual: "100000,1000000", quick: "200,400" },
  "flame-devices": { text: "talking devices of --flames", usual: "60", quick: "3" },
  "flame-seconds": { text: "the time that they draw, s", usual: "25", quick: "3" },
  utterances: { text: "concurrent utterances of the part bus", usual: "1000", quick: "10" },
  replies: { text: "replies of the part opus-out", usual: "60", quick: "12" },
  "isolation-talking": { text: "talking devices of the part isolation", usual: "100", quick: "8" },
  "isolation-seconds": { text: "time beside each bad program, and without it before, s", usual: "20", quick: "1" },
  "isolation-repeat": { text: "rounds of all bad programs", usual: "3", quick: "1" },
  reached: { text: "devices of the part transports", usual: "5000", quick: "20" },
  "reached-talking": { text: "devices of that part whose frames are echoed", usual: "200", quick: "5" },
  "reached-turns": { text: "turns, alerts and tool calls of that part and of the part reach", usual: "20", quick: "2" },
  speaking: { text: "devices of the part play-out", usual: "200", quick: "5" },
  busy: { text: "cores that other programs may use; beyond, figures are void", usual: "0.2", quick: "64" },
} as const;
type SizeName = keyof typeof sizes;

/** The parts to measure, their sizes, and what to write. */
export interface BenchOptions {
  readonly only: readonly PartName[];
  readonly engines: readonly EngineKind[];
  /** The numbers of each option. Never empty. */
  readonly sizes: Readonly<Record<SizeName, readonly number[]>>;
  /** True for tiny sizes. Nothing is downloaded then. */
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly write: boolean;
  /** True to draw flame graphs, and to measure nothing. */
  readonly flames: boolean;
}

const pad = 26;
const listed = Object.entries(sizes).map(
  ([name, { text, usual }]) => `  ${`--${name} ${usual.includes(",") ? "N,N" : "N"}`.padEnd(pad)}${text} [${usual}]\n`,
);

/** The manual of the command line. */
export const usage = `npm run bench -- [options] [part ...]

Measures this system beside simpler ones, prints tables, and judges them by the targets. Runs for about 15 minutes on 2 cores
with nothing else to do. Exit code: 1 if a part failed; a missed target is no failure.

  ${"--only NAME,NAME".padEnd(pad)}parts to measure, also without the option [all but isolation, transports, reach]:
${Object.entries(parts)
  .map(([name, text]) => `  ${"".padEnd(pad)}  ${name.padEnd(11)}${text}\n`)
  .join("")}  ${"--engines KIND,KIND".padEnd(pad)}engines of part c: ${engineKinds.join(", ")} [both]
${listed.join("")}  ${"--quick".padEnd(pad)}tiny sizes: to see that it works, not to measure
  ${"--json FILE".padEnd(pad)}also write every number to FILE
  ${"--write".padEnd(pad)}also write the tables to docs/performance.md
  ${"--flames".padEnd(pad)}instead, draw a flame graph of each program into docs/images/flames
`;

/** Reads the command line. Throws an error that explains an invalid option. */
export function readOptions(args: readonly string[]): BenchOptions | "help" {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...(Object.fromEntries(Object.keys(sizes).map((name) => [name, text])) as Record<SizeName, typeof text>),
      only: text,
      engines: text,
      json: text,
      quick: flag,
      write: flag,
      flames: flag,
      help: flag,
    },
  });
  if (values.help) return "help";
  const named = [...(values.only === undefined ? [] : [values.only]), ...positionals];
  const chosen = (Object.keys(sizes) as SizeName[]).map((name) => {
    const given = values[name] ?? sizes[name][values.quick ? "quick" : "usual"];
    return [name, given.split(",").map((one) => readNumber(name, one))] as const;
  });
  return {
    only: named.length === 0 ? usualParts : readNames("only", named.join(","), partNames, "parts"),
    engines: readNames("engines", values.engines, engineKinds, "engines"),
    sizes: Object.fromEntries(chosen) as unknown as BenchOptions["sizes"],
    quick: values.quick,
    json: values.json,
    write: values.write,
    flames: values.flames,
  };
}

/** Reads a list of names, all of them if none is given. Gives them in their own order. */
function readNames<N extends string>(
  option: string,
  given: string | undefined,
  all: readonly N[],
  what: string,
): readonly N[] {
  if (given === undefined) return all;
  const names = given.split(",").map((name) => name.trim());
  if (names.some((name) => !all.some((one) => one === name))) {
    throw new Error(`--${option} ${given}: the ${what} are ${all.join(", ")}`);
  }
  return all.filter((name) => names.includes(name));
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0)) throw new Error(`--${name} ${text}: must be a number above 0`);
  return value;
}
