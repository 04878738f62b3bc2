import { SpanStatusCode, trace } from "@opentelemetry/api";
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

/** Starts the span `asr` below the claim of its listen. */
export function traceUtterance(
  claim: Trace,
  about: { readonly engine: string; readonly from: number },
): UtteranceTrace {
  const nothing = () => undefined;
  if (!tracingIsOn()) return { headers: claim, spoke: nothing, endpoint: nothing, recognised: nothing, end: nothing };
  const attributes = { "voxbus.asr.engine": about.engine, "voxbus.asr.from": about.from };
  const span = trace.getTracer("voxbus").startSpan("asr", { attributes }, contextOf(claim));
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
