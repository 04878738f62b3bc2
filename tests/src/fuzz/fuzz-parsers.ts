import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createParsers } from "./parsers.ts";
import { createRandom } from "./random.ts";
import type { Finding, Outcomes } from "./report.ts";

/** The job of the parser process. It keeps the number of its current input and parser in a file. */
export interface ParserJob {
  readonly seed: number;
  readonly inputs: number;
  readonly progress: string;
}

/** The findings. */
export interface ParserReport {
  readonly outcomes: Outcomes;
  readonly findings: Finding[];
  slowestMs: number;
  /** The growth from the first quarter to the end, both after a collection, bytes. */
  growth: number;
}

const hangMs = 20_000;
const lookMs = 1000;
const mostComplaint = 2000;
// An input of at most 70 KB must not need more memory than this.
const heapMb = 192;

/** Feeds the parsers in their own process, so that a hang or an exhausted memory is a finding and not the end of the run. */
export async function fuzzParsers(seed: number, inputs: number): Promise<ParserReport> {
  const directory = mkdtempSync(join(tmpdir(), "voxbus-fuzz-"));
  const progress = join(directory, "progress");
  const child = fork(new URL("../../dist/fuzz/parser-process.js", import.meta.url), [], {
    execArgv: ["--expose-gc", `--max-old-space-size=${heapMb}`],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let complaint = "";
  child.stderr
    ?.setEncoding("utf8")
    .on("data", (text: string) => (complaint = `${complaint}${text}`.slice(-mostComplaint)));
  const end = () => {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  };
  process.once("exit", end);
  const readPlace = () => readFileSync(progress, { flag: "a+" });
  const blame = (what: string): ParserReport => {
    const place = readPlace();
    const [index, at] = place.byteLength < 8 ? [0, 0] : [place.readUInt32LE(0), place.readUInt32LE(4)];
    const parser = createParsers(seed)[at]!;
    const input = Buffer.from(parser.make(createRandom(seed, parser.name, index))).toString("hex");
    return { outcomes: {}, findings: [{ target: parser.name, index, what, input }], slowestMs: Infinity, growth: 0 };
  };
  try {
    return await new Promise<ParserReport>((resolve) => {
      let seen = readPlace();
      let since = performance.now();
      const look = setInterval(() => {
        const now = readPlace();
        if (!now.equals(seen)) {
          seen = now;
          since = performance.now();
        } else if (performance.now() - since > hangMs) settle(blame(`it did not return within ${hangMs} ms`));
      }, lookMs);
      const settle = (report: ParserReport) => {
        clearInterval(look);
        child.removeAllListeners();
        resolve(report);
      };
      child.once("message", (report) => settle(report as ParserReport));
      child.once("close", (code, signal) => settle(blame(`it ended its process with ${code ?? signal}: ${complaint}`)));
      child.send({ seed, inputs, progress } satisfies ParserJob);
    });
  } finally {
    process.off("exit", end);
    end();
  }
}
