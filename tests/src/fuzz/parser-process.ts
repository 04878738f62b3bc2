import { openSync, writeSync } from "node:fs";
import type { ParserJob, ParserReport } from "./fuzz-parsers.ts";
import { createParsers, type Parser } from "./parsers.ts";
import { createRandom } from "./random.ts";
import { countOutcome } from "./report.ts";

// The longest time for an input. A slower one is tried twice more, since the machine may be busy.
const longMs = 500;
const mostFindings = 10;

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${describe(error.cause)})`;
  return `${error.name}: ${error.message.slice(0, 300)}${cause}`;
}

function measureHeap(): number {
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

function run({ seed, inputs, progress }: ParserJob): ParserReport {
  const parsers = createParsers(seed);
  const wheel = parsers.flatMap((parser) => Array.from({ length: parser.weight }, () => parser));
  const report: ParserReport = { outcomes: {}, findings: [], slowestMs: 0, growth: 0 };
  const time = (parser: Parser, input: Uint8Array): number => {
    const began = performance.now();
    const outcome = parser.read(input);
    const taken = performance.now() - began;
    countOutcome(report.outcomes, parser.name, outcome);
    return taken;
  };
  const file = openSync(progress, "w");
  const place = Buffer.alloc(8);
  let heap = 0;
  for (let index = 0; index < inputs && report.findings.length < mostFindings; index += 1) {
    if (index === Math.floor(inputs / 4)) heap = measureHeap();
    const parser = wheel[createRandom(seed, "wheel", index).below(wheel.length)]!;
    const input = parser.make(createRandom(seed, parser.name, index));
    // If this one never returns, the parent can make it again.
    place.writeUInt32LE(index, 0);
    place.writeUInt32LE(parsers.indexOf(parser), 4);
    writeSync(file, place, 0, 8, 0);
    try {
      let ms = time(parser, input);
      if (ms > longMs) ms = Math.min(ms, time(parser, input), time(parser, input));
      report.slowestMs = Math.max(report.slowestMs, ms);
      if (ms > longMs) throw new Error(`it took ${Math.round(ms)} ms`);
      if ("polluted" in {}) throw new Error("it changed the prototype of all objects");
    } catch (error) {
      report.findings.push({
        target: parser.name,
        index,
        what: describe(error),
        input: Buffer.from(input).toString("hex"),
      });
    }
  }
  if (heap > 0) report.growth = measureHeap() - heap;
  return report;
}

process.once("message", (job: ParserJob) => {
  process.send?.(run(job));
  process.disconnect();
});
