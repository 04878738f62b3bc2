import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createParsers } from "./parsers.ts";
import { createRandom } from "./random.ts";
import type { Finding, Outcomes } from "./report.ts";

/** What the process with the parsers is told; it keeps the number of its current input and parser in a file. */
export interface ParserJob {
  readonly seed: number;
  readonly inputs: number;
  readonly progress: string;
}

/** What it found. */
export interface ParserReport {
  readonly outcomes: Outcomes;
  readonly findings: Finding[];
  slowestMs: number;
  /** Bytes that it held more at its end than after its first quarter, both after a collection. */
  growth: number;
}

const hangMs = 20_000;
const lookMs = 1000;
const mostComplaint = 2000;
// An input of 70 KB that needs more than this announces more than it brings.
const heapMb = 192;

/** Feeds the parsers in a process of their own, so that one that hangs or takes all memory is a finding and not the end. */
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
        } else if (performance.now() - since > hangMs) settle(blame(`it did not come back within ${hangMs} ms`));
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
