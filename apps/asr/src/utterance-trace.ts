import { context, propagation, SpanKind, trace } from "@opentelemetry/api";

/** The span of one utterance, from its onset to its stored transcript. */
export interface UtteranceTrace {
  /** The trace context that goes with what the utterance leads to. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends the span; `ms` is what the transcript took since the end of the speech. Nothing that was said is in it. */
  end(outcome: string, ms: number): void;
}

/** Starts the span `asr` below the trace context that came with the listen. */
export function traceUtterance(parent: Readonly<Record<string, string>>, engine: string): UtteranceTrace {
  const above = propagation.extract(context.active(), parent);
  const attributes = {
    "messaging.system": "nats",
    "messaging.destination.template": "device.{id}.in.control.open",
    "voxbus.asr.engine": engine,
  };
  const span = trace.getTracer("voxbus").startSpan("asr", { kind: SpanKind.CONSUMER, attributes }, above);
  const headers: Record<string, string> = { ...parent };
  propagation.inject(trace.setSpan(above, span), headers);
  return {
    headers,
    end(outcome, ms) {
      span.setAttributes({ "voxbus.asr.outcome": outcome, "voxbus.asr.transcript_ms": ms }).end();
    },
  };
}
