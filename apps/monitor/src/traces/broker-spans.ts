import {
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type HrTime,
  type Meter,
  type Span,
} from "@opentelemetry/api";
import {
  contextOf,
  spanIdOf,
  startSpanAs,
  templateOf,
  tracingIsOn,
  type BrokerTrace,
  type Bus,
  type Closer,
} from "@voxbus/bus";
import { startAtZero } from "@voxbus/subscriber";

type Step = BrokerTrace["events"][number];

/** The span names of a message's way out of a nats-server, by the kind of the connection (NATS ADR-41). */
const ends: Readonly<Record<number, string>> = { 0: "deliver", 1: "route", 2: "gateway", 4: "leaf" };

/**
 * Turns a nats-server's report on one message into spans below the sender's span: `nats SERVER`, with a child for each
 * step that the server took with the message. The steps of another server are below the route to it. The order of the
 * reports does not matter, because the ids of these spans follow from the message (docs/traces.md).
 */
export function traceReport({ server, request, events }: BrokerTrace): void {
  const header = (name: string) =>
    Object.entries(request.header).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1][0] ?? "";
  const traceparent = header("traceparent");
  const came = events.find(({ type }) => type === "in");
  const sender = contextOf({ traceparent, tracestate: header("tracestate") });
  if (!came || trace.getSpanContext(sender) === undefined) return;
  const subject = templateOf(came.subj ?? "");

  const hop = header("Nats-Trace-Hop");
  // One span may send several messages without an id. The servers' spans are then siblings.
  const message = header("Nats-Msg-Id") && `${traceparent} ${header("Nats-Msg-Id")}`;
  const idOf = (what: string, hop: string | undefined) =>
    message && hop !== undefined ? spanIdOf(message, what, hop) : undefined;
  const parent = hop === "" ? sender : below(sender, idOf("to", hop));
  const began = timeOf(came.ts);
  const span = start(`nats ${server.name}`, idOf("in", hop), began, parent, {
    "messaging.system": "nats",
    "messaging.destination.template": subject,
    "messaging.message.envelope.size": request.msgsize,
    "nats.server.name": server.name,
    "nats.server.version": server.ver,
    ...(server.cluster === undefined ? {} : { "nats.cluster": server.cluster }),
    ...(hop === "" ? {} : { "nats.hop": hop }),
    ...(came.name === undefined ? {} : { "nats.sender": came.name }),
  });
  fail(span, came);
  const within = trace.setSpan(parent, span);
  for (const step of events) {
    if (step === came) continue;
    const id = idOf("to", step.hop);
    const child = start(nameStep(step), id, began, within, {
      "nats.step": step.type,
      ...(step.queue === undefined ? {} : { "nats.queue": step.queue }),
      ...(step.stream === undefined ? {} : { "nats.stream": step.stream }),
    });
    fail(child, step);
    child.end(timeOf(step.ts));
  }
  span.end(timeOf(server.time));
}

/** Follows the reports of all servers, if tracing is on. With several monitors each report goes to one of them. */
export function followBroker({ bus, meter }: { readonly bus: Bus; readonly meter: Meter }): Closer {
  const description = "Reports of nats-server on the path of traced messages";
  const reports = startAtZero(meter.createCounter("voxbus_monitor_broker_reports", { description }));
  if (!tracingIsOn()) return { close: () => undefined };
  return bus.brokerTraces((report) => {
    reports.add(1);
    traceReport(report);
  });
}

function nameStep({ type, kind, name, stream }: Step): string {
  if (type === "js") return `store ${stream ?? ""}`.trim();
  if (type !== "eg") return type;
  return `${ends[kind ?? 0] ?? "pass on"} ${name ?? ""}`.trim();
}

function start(name: string, id: string | undefined, startTime: HrTime, parent: Context, attributes: Attributes): Span {
  const options = { startTime, attributes };
  return id === undefined
    ? trace.getTracer("voxbus").startSpan(name, options, parent)
    : startSpanAs(id, name, options, parent);
}

/** The context of a span of the same trace, by its id. */
function below(sender: Context, spanId: string | undefined): Context {
  const sent = trace.getSpanContext(sender);
  return sent && spanId !== undefined ? trace.setSpanContext(sender, { ...sent, spanId }) : sender;
}

function fail(span: Span, { error }: Step): void {
  // A message that was stored before is not a failure. Its id exists for this case.
  if (error === undefined) return;
  span.setAttribute("nats.error", error);
  if (error !== "msgid is duplicate") span.setStatus({ code: SpanStatusCode.ERROR, message: error });
}

/** Parses a server's time. It is in ns, which a number of ms cannot hold. */
function timeOf(ts: string): HrTime {
  // nats-server writes the time zone of its machine.
  const [, whole = "", fraction = "", zone = ""] = /^(.{19})(?:\.(\d+))?(Z|[+-].*)$/.exec(ts) ?? [];
  return [Date.parse(whole + zone) / 1000, Number(fraction.padEnd(9, "0"))];
}
