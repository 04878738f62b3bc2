import { isSpanContextValid, trace } from "@opentelemetry/api";
import { pino, type Logger } from "pino";
import pretty from "pino-pretty";
import { describeError } from "./error-cause.ts";

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
  return forPeople
    ? pino(
        settings,
        pretty({
          colorize: true,
          ignore: "pid,hostname,name",
          translateTime: "HH:MM:ss.l",
          singleLine: true,
          sync: true,
        }),
      )
    : pino({ ...settings, base: { pid: process.pid } }, pino.destination({ dest: 1, sync: true }));
}
