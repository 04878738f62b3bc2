import { context, SpanStatusCode, trace, type Attributes } from "@opentelemetry/api";
import { contextOf, traceOf, tracingIsOn } from "@voxbus/bus";
import { describeCause, nameCause } from "@voxbus/subscriber";
import type { TurnInput, TurnOutcome } from "./turn-input.ts";

/** Works on a turn within the span `dialogue`, a child of the input's trace. What is stored carries the span's context. */
export async function traceTurn(
  input: TurnInput,
  work: (input: TurnInput) => Promise<TurnOutcome>,
): Promise<TurnOutcome> {
  if (!tracingIsOn()) return work(input);
  const { device, session, origin, reason, delivery } = input;
  const attributes = {
    "voxbus.device": device,
    "voxbus.session": session,
    "voxbus.turn.origin": origin,
    "voxbus.attempt": delivery.attempt,
    ...(reason === undefined ? {} : { "voxbus.turn.reason": reason }),
  };
  const parent = contextOf(delivery.trace);
  const span = trace.getTracer("voxbus").startSpan("dialogue", { attributes }, parent);
  const traced = { ...input, delivery: { ...delivery, trace: traceOf(span) } };
  try {
    const outcome = await context.with(trace.setSpan(parent, span), () => work(traced));
    span.setAttribute("voxbus.dialogue.outcome", outcome);
    return outcome;
  } catch (error) {
    span.setAttribute("error.type", error instanceof Error ? error.name : "error");
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Adds an event such as `first sentence` to the span of the current turn. */
export function markTurn(event: string, attributes?: Attributes): void {
  trace.getActiveSpan()?.addEvent(event, attributes);
}

/** Names the engine that answers the current turn. */
export function traceEngine(engine: string): void {
  trace.getActiveSpan()?.setAttribute("voxbus.dialogue.engine", engine);
}

/** Marks the span of the current turn as failed, by the name, the status and the code of the error's cause. */
export function traceFailure(error: unknown): void {
  const span = trace.getActiveSpan();
  span?.setAttribute("error.type", describeCause(error).name);
  span?.setStatus({ code: SpanStatusCode.ERROR, message: nameCause(error) });
}

/** Adds the text of a turn and of its answer to the trace. Call it only if `VOXBUS_TRACE_CONTENT` is set. */
export function traceText(heard: string, answered: string): void {
  trace.getActiveSpan()?.setAttributes({ "voxbus.turn.heard": heard, "voxbus.turn.answered": answered });
}
