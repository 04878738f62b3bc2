import { isSpanContextValid, trace } from "@opentelemetry/api";
import { pino, type Logger } from "pino";
import { prettyFactory } from "pino-pretty";
import { describeError } from "./error-cause.ts";
import { logOutput, type LogOutput } from "./log-output.ts";

/** A structured log: fixed message text, values in fields. Transcripts go under `transcript`, which is never written. */
export type Log = Logger;

/** Names the trace and span in which a line is written. */
function nameTrace(): Readonly<Record<string, string>> {
  const span = trace.getActiveSpan()?.spanContext();
  return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {};
}

/** Creates a program's log on standard output: pretty for people, JSON for machines. */
export function createLog(options: {
  readonly name: string;
  readonly level: string;
  readonly format: "json" | "pretty" | "auto";
}): Log {
  const settings = {
    name: options.name,
    level: options.level,
    mixin: nameTrace,
    serializers: { err: describeError },
    redact: { paths: ["transcript", "*.transcript"], remove: true },
  };
  const forPeople = options.format === "pretty" || (options.format === "auto" && process.stdout.isTTY);
  const output = logOutput();
  const format = prettyFactory({
    colorize: true,
    ignore: "pid,hostname,name",
    translateTime: "HH:MM:ss.l",
    singleLine: true,
  });
  const write = (line: string) => output.write(forPeople ? format(line) : line);
  const log: Log = pino(forPeople ? settings : { ...settings, base: { pid: process.pid } }, {
    write: tellOfDrops(output, write, (lines) => log.warn({ lines }, "log lines dropped")),
  });
  return log;
}

/** Writes lines. When the output takes lines again after some were dropped, calls `tell` with their number. */
function tellOfDrops(output: LogOutput, write: (line: string) => void, tell: (lines: number) => void) {
  let told = output.dropped();
  return (line: string) => {
    const before = output.dropped();
    write(line);
    const lines = before - told;
    if (lines === 0 || output.dropped() > before) return;
    told = before;
    tell(lines);
  };
}
