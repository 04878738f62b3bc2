import { parseArgs } from "node:util";

/** The parts of the benchmark: `a` the echo, `b` memory, `c` the bus, `h` hot code paths, `p` play-out. */
export const parts = ["a", "b", "c", "h", "p"] as const;
export type Part = (typeof parts)[number];

/** The parts to measure, their sizes, and the file for the numbers. */
export interface BenchOptions {
  readonly only: readonly Part[];
  /** The length of a measured slice, s. */
  readonly seconds: number;
  /** The number of slices per server; the median is shown. */
  readonly repeat: number;
  /** The numbers of connections of part a. */
  readonly connections: readonly number[];
  /** The number of idle connections of part b. */
  readonly idle: number;
  /** The number of concurrent utterances of part c. */
  readonly utterances: number;
  /** The number of devices of part p. */
  readonly speaking: number;
  readonly json: string | undefined;
}

/** The manual of the command line. */
export const usage = `npm run bench -- [options]
  --only a,b,c,h,p        a: echo through gateway and bus, b: memory of idle connections and at rest, c: the bus,
                          h: hot code paths, p: play-out of replies [all]
  --seconds S             length of a measured slice [2]
  --repeat N              slices per server, interleaved; the median is shown [3]
  --connections N,N       connections of part a [100,1000]
  --idle N                idle connections of part b [5000]
  --utterances N          concurrent utterances of part c [1000]
  --speaking N            devices that speak in part p [200]
  --json FILE             also write every number to FILE
`;

/** Reads the command line. Throws an error that explains an invalid option. */
export function readOptions(args: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: parts.join(",") },
      seconds: { type: "string", default: "2" },
      repeat: { type: "string", default: "3" },
      connections: { type: "string", default: "100,1000" },
      idle: { type: "string", default: "5000" },
      speaking: { type: "string", default: "200" },
      utterances: { type: "string", default: "1000" },
      json: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return "help";
  const only = values.only.split(",").map((name) => {
    const part = parts.find((one) => one === name.trim());
    if (!part) throw new Error(`--only ${values.only}: the parts are ${parts.join(", ")}`);
    return part;
  });
  return {
    only,
    seconds: readNumber("seconds", values.seconds),
    repeat: readNumber("repeat", values.repeat),
    connections: values.connections.split(",").map((one) => readNumber("connections", one)),
    idle: readNumber("idle", values.idle),
    utterances: readNumber("utterances", values.utterances),
    speaking: readNumber("speaking", values.speaking),
    json: values.json,
  };
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0)) throw new Error(`--${name} ${text}: must be a number above 0`);
  return value;
}
