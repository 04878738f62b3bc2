import { createHash } from "node:crypto";
import {
  context,
  createContextKey,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type SpanOptions,
} from "@opentelemetry/api";
import { ConflictError } from "../errors.ts";
import { activeTrace, contextOf, traceOf, tracingIsOn, type Trace } from "./trace.ts";

/** The context key of the id for the next span (docs/traces.md, "The broker's own hops"). */
const chosenId = createContextKey("voxbus.span_id");

/** Derives a span id from parts that every program knows, so that programs can name a span without a message. */
export function spanIdOf(...parts: readonly (string | number)[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
}

/** Starts a span with a chosen id. Only the SDK as libs/service starts it honors the id. */
export function startSpanAs(id: string, name: string, options: SpanOptions, parent: Context): Span {
  const start = () => trace.getTracer("voxbus").startSpan(name, options, parent);
  return context.with(parent.setValue(chosenId, id), start);
}

/** Replaces the ids in a subject by a placeholder, so that spans and metrics can be grouped by it. */
export function templateOf(subject: string): string {
  return subject.replace(/^((?:stored\.)?device|gateway)\.[^.]+/, "$1.{id}");
}

/** The attributes of a message by OpenTelemetry's messaging conventions. */
function describe(subject: string, type: "send" | "process"): Record<string, string> {
  return {
    "messaging.system": "nats",
    "messaging.destination.name": subject,
    "messaging.destination.template": templateOf(subject),
    "messaging.operation.type": type,
    "messaging.operation.name": type,
  };
}

/** Marks a span as failed. Records only the error's name, because its text may quote what was said. */
function fail(span: Span, error: unknown): void {
  span.setAttribute("error.type", error instanceof Error ? error.name : "error");
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/**
 * Sends a stored message inside a PRODUCER span, if it belongs to a trace. Calls `send` at once with the context for the
 * headers.
 */
export function traceSend<T extends { readonly duplicate: boolean }>(
  message: { readonly subject: string; readonly id: string | undefined; readonly bytes: number },
  given: Trace | undefined,
  send: (trace: Trace | undefined) => Promise<T>,
): Promise<T> {
  if (!tracingIsOn()) return send(given);
  const above = given ?? activeTrace();
  if (above["traceparent"] === undefined) return send(given);
  const attributes = {
    ...describe(message.subject, "send"),
    "messaging.message.body.size": message.bytes,
    ...(message.id === undefined ? {} : { "messaging.message.id": message.id }),
  };
  const name = `send ${templateOf(message.subject)}`;
  const span = trace.getTracer("voxbus").startSpan(name, { kind: SpanKind.PRODUCER, attributes }, contextOf(above));
  return send(traceOf(span)).then(
    (stored) => {
      span.setAttribute("voxbus.duplicate", stored.duplicate).end();
      return stored;
    },
    (error: unknown) => {
      // A lost compare-and-set is an answer, not a failure.
      if (error instanceof ConflictError) span.setAttribute("voxbus.conflict", true);
      else fail(span, error);
      span.end();
      throw error;
    },
  );
}

/** The span of one attempt at the work on a claim. */
export interface Attempt {
  /** The context of the work. */
  readonly trace: Trace;
  /** Runs the work with that context active. */
  run<T>(work: () => Promise<T>): Promise<T>;
  end(outcome: string, error?: unknown): void;
}

/**
 * Starts a CONSUMER span for one attempt at a claim, if tracing is on and the message belongs to a trace. A later attempt
 * links to the first one, whose span id it can derive.
 */
export function traceAttempt(
  claim: { readonly subject: string; readonly durable: string; readonly key: string; readonly attempt: number },
  above: Trace,
): Attempt {
  const { traceparent } = above;
  if (traceparent === undefined || !tracingIsOn()) return { trace: above, run: (work) => work(), end: () => undefined };
  const { subject, durable, key, attempt } = claim;
  const parent = contextOf(above);
  const idOf = (attempt: number) => spanIdOf(traceparent, durable, key, attempt);
  const sent = trace.getSpanContext(parent);
  const links = sent && attempt > 1 ? [{ context: { ...sent, spanId: idOf(1) } }] : [];
  const attributes = {
    ...describe(subject, "process"),
    "messaging.consumer.group.name": durable,
    "voxbus.attempt": attempt,
  };
  const options = { kind: SpanKind.CONSUMER, attributes, links };
  const span = startSpanAs(idOf(attempt), `process ${templateOf(subject)}`, options, parent);
  return {
    trace: traceOf(span),
    run: (work) => context.with(trace.setSpan(parent, span), work),
    end(outcome, error) {
      span.setAttribute("voxbus.claim.outcome", outcome);
      if (error !== undefined) fail(span, error);
      span.end();
    },
  };
}
