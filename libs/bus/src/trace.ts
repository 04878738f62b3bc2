import { context, propagation } from "@opentelemetry/api";
import { headers as createHeaders, type Msg, type MsgHdrs } from "@nats-io/nats-core";

/** Trace context as it travels in headers: `traceparent`, `tracestate`. */
export type Trace = Readonly<Record<string, string>>;

const noTrace: Trace = Object.freeze({});
const names = ["traceparent", "tracestate"] as const;

/** The headers that carry `trace`, or without it the active OpenTelemetry context; undefined when there is none. */
export function writeTrace(trace: Trace | undefined): MsgHdrs | undefined {
  let carrier = trace;
  if (carrier === undefined) {
    const active: Record<string, string> = {};
    propagation.inject(context.active(), active);
    carrier = active;
  }
  let headers: MsgHdrs | undefined;
  for (const name of names) {
    const value = carrier[name];
    if (value === undefined || value === "") continue;
    headers ??= createHeaders();
    headers.set(name, value);
  }
  return headers;
}

/** The trace context that came with a message. */
export function readTrace(message: Pick<Msg, "headers">): Trace {
  const { headers } = message;
  if (headers === undefined) return noTrace;
  const trace: Record<string, string> = {};
  for (const name of names) {
    const value = headers.get(name);
    if (value !== "") trace[name] = value;
  }
  return trace;
}
