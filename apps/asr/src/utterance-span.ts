import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { contextOf, traceOf, tracingIsOn, type Trace } from "@voxbus/bus";
import { describeCause, nameCause } from "@voxbus/subscriber";

/** The span of one utterance, from its onset to its stored transcript. */
export interface UtteranceSpan {
  /** The trace context of everything that the utterance causes. */
  readonly trace: Trace;
  /** Adds speech that went to the recognizer (ms). */
  spoke(ms: number): void;
  /** Records the end of speech; `origin` is the last voiced frame. */
  endOfSpeech(origin: number): void;
  /** Records the engine, and its time since the end of speech (ms). `text` is given only if traces may contain transcripts. */
  recognized(by: { readonly engine: string; readonly ms: number; readonly text: string | undefined }): void;
  /** Records the failure of an engine, by the name, the status and the code of the error's cause. */
  failed(error: unknown, engine: string): void;
  /** Ends the span. `ms` is the time from the end of speech to the stored transcript. */
  end(outcome: string, ms: number): void;
}

/**
 * Starts the span `asr` below the opening frame of the listen. The work on the listen may go on for hours after this
 * utterance, so it is a link and not the parent.
 */
export function traceUtterance(
  listen: { readonly sent: Trace; readonly trace: Trace },
  utterance: { readonly from: number },
): UtteranceSpan {
  const nothing = () => undefined;
  if (!tracingIsOn()) {
    return {
      trace: listen.sent,
      spoke: nothing,
      endOfSpeech: nothing,
      recognized: nothing,
      failed: nothing,
      end: nothing,
    };
  }
  const attributes = {
    "messaging.system": "nats",
    "messaging.operation.type": "process",
    "messaging.destination.template": "device.{id}.in.control.open",
    "voxbus.asr.from": utterance.from,
  };
  const work = trace.getSpanContext(contextOf(listen.trace));
  const options = { kind: SpanKind.CONSUMER, attributes, links: work ? [{ context: work }] : [] };
  const span = trace.getTracer("voxbus").startSpan("asr", options, contextOf(listen.sent));
  span.addEvent("onset");
  let audioMs = 0;
  let failure: unknown;
  return {
    trace: traceOf(span),
    spoke(ms) {
      audioMs += ms;
    },
    endOfSpeech(origin) {
      span.addEvent("end of speech");
      span.setAttributes({ "voxbus.turn.origin": origin, "voxbus.asr.audio_ms": audioMs });
    },
    recognized({ engine, ms, text }) {
      span.setAttributes({ "voxbus.asr.engine": engine, "voxbus.asr.engine_ms": Math.round(ms) });
      if (text !== undefined) span.setAttribute("voxbus.asr.text", text);
    },
    failed(error, engine) {
      failure = error;
      span.addEvent("engine failed", { "voxbus.asr.engine": engine, "error.type": describeCause(error).name });
    },
    end(outcome, ms) {
      span.setAttributes({ "voxbus.asr.outcome": outcome, "voxbus.asr.transcript_ms": Math.round(ms) });
      if (outcome === "failed" && failure !== undefined) span.setAttribute("error.type", describeCause(failure).name);
      const message = failure === undefined ? {} : { message: nameCause(failure) };
      if (outcome === "failed") span.setStatus({ code: SpanStatusCode.ERROR, ...message });
      span.end();
    },
  };
}
