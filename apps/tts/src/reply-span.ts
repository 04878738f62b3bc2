import { SpanStatusCode, trace } from "@opentelemetry/api";
import { contextOf, traceOf, tracingIsOn, type Trace } from "@voxbus/bus";

/** The span of one reply, from its claim until it was played or fenced. It contains none of its words. */
export interface ReplySpan {
  /** The trace context of the reply's frames. */
  readonly trace: Trace;
  /** Counts a sentence. */
  sentence(): void;
  /** Records the first packet and its engine. */
  firstSound(engine: string): void;
  /** Ends the span. */
  end(outcome: string, error?: unknown): void;
}

/** Starts the span `tts` below the span that asked for the reply. */
export function traceReply(reply: {
  readonly device: string;
  readonly reply: string;
  readonly attempt: number;
  readonly trace: Trace;
}): ReplySpan {
  const nothing = () => undefined;
  if (!tracingIsOn()) return { trace: reply.trace, sentence: nothing, firstSound: nothing, end: nothing };
  const attributes = { "voxbus.device": reply.device, "voxbus.reply": reply.reply, "voxbus.attempt": reply.attempt };
  const span = trace.getTracer("voxbus").startSpan("tts", { attributes }, contextOf(reply.trace));
  let sentences = 0;
  return {
    trace: traceOf(span),
    sentence() {
      sentences += 1;
    },
    firstSound(engine) {
      span.addEvent("first sound");
      span.setAttribute("voxbus.tts.engine", engine);
    },
    end(outcome, error) {
      span.setAttributes({ "voxbus.tts.outcome": outcome, "voxbus.tts.sentences": sentences });
      if (error !== undefined) {
        span.setAttribute("error.type", error instanceof Error ? error.name : "error");
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}
