import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { contextOf, traceOf, tracingIsOn, type Trace } from "@voxbus/bus";

/** The span of one utterance, from its onset to its stored transcript. */
export interface UtteranceTrace {
  /** The trace context that goes with what the utterance leads to. */
  readonly headers: Trace;
  /** Speech of so many ms went to the recogniser. */
  spoke(ms: number): void;
  /** The speech is over; `origin` was its last voiced frame. */
  endpoint(origin: number): void;
  /** What the engine took for it since then, in ms; `text` only where `VOXBUS_TRACE_CONTENT` asks for it. */
  recognised(ms: number, text: string | undefined): void;
  /** Ends the span; `ms` is what the transcript took since the end of the speech. */
  end(outcome: string, ms: number): void;
}

/**
 * Starts the span `asr` below the listen's opening frame. The work on the listen itself may go on for hours after this
 * utterance: it is linked, not above.
 */
export function traceUtterance(
  opening: Trace,
  about: { readonly engine: string; readonly from: number; readonly listen: Trace },
): UtteranceTrace {
  const nothing = () => undefined;
  if (!tracingIsOn()) return { headers: opening, spoke: nothing, endpoint: nothing, recognised: nothing, end: nothing };
  const attributes = {
    "messaging.system": "nats",
    "messaging.operation.type": "process",
    "messaging.destination.template": "device.{id}.in.control.open",
    "voxbus.asr.engine": about.engine,
    "voxbus.asr.from": about.from,
  };
  const listen = trace.getSpanContext(contextOf(about.listen));
  const options = { kind: SpanKind.CONSUMER, attributes, links: listen ? [{ context: listen }] : [] };
  const span = trace.getTracer("voxbus").startSpan("asr", options, contextOf(opening));
  span.addEvent("onset");
  let audioMs = 0;
  return {
    headers: traceOf(span),
    spoke(ms) {
      audioMs += ms;
    },
    endpoint(origin) {
      span.addEvent("endpoint");
      span.setAttributes({ "voxbus.turn.origin": origin, "voxbus.asr.audio_ms": audioMs });
    },
    recognised(ms, text) {
      span.setAttribute("voxbus.asr.engine_ms", Math.round(ms));
      if (text !== undefined) span.setAttribute("voxbus.asr.text", text);
    },
    end(outcome, ms) {
      span.setAttributes({ "voxbus.asr.outcome": outcome, "voxbus.asr.transcript_ms": Math.round(ms) });
      if (outcome === "failed") span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
      span.end();
    },
  };
}
