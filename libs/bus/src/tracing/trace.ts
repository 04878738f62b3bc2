import { context, propagation, ROOT_CONTEXT, trace, type Context, type Span } from "@opentelemetry/api";
import { headers as createHeaders, type Msg, type MsgHdrs } from "@nats-io/nats-core";

/** Trace context as headers: `traceparent`, `tracestate`. */
export type Trace = Readonly<Record<string, string>>;

const noTrace: Trace = Object.freeze({});
const names = ["traceparent", "tracestate"] as const;

/** True once an OpenTelemetry SDK is registered. Without one tracing costs nothing. */
export function tracingIsOn(): boolean {
  return propagation.fields().length > 0;
}

/** Reads the OpenTelemetry context from headers. Returns the root context without headers or without an SDK. */
export function contextOf(trace: Trace): Context {
  return trace["traceparent"] === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, trace);
}

/** The headers that make the receiver's span a child of `span`. Empty without an SDK. */
export function traceOf(span: Span): Trace {
  const carrier: Record<string, string> = {};
  propagation.inject(trace.setSpan(ROOT_CONTEXT, span), carrier);
  return carrier;
}

/** The headers of the active context. */
export function activeTrace(): Trace {
  if (!tracingIsOn()) return noTrace;
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier;
}

/** Writes `trace`, or else the active OpenTelemetry context, as headers. Undefined if both are empty. */
export function writeTrace(trace: Trace | undefined): MsgHdrs | undefined {
  const carrier = trace ?? activeTrace();
  let headers: MsgHdrs | undefined;
  for (const name of names) {
    const value = carrier[name];
    if (value === undefined || value === "") continue;
    headers ??= createHeaders();
    headers.set(name, value);
  }
  return headers;
}

/** Reads the trace context of a message. */
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
