import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { contextOf, traceOf, tracingIsOn } from "@voxbus/bus";
import type { Outcome, Said } from "./turn-input.ts";

/** Works on a turn within the span `dialogue`, below whatever the turn came from; what is stored carries its context. */
export async function traceTurn(said: Said, work: (said: Said) => Promise<Outcome>): Promise<Outcome> {
  if (!tracingIsOn()) return work(said);
  const { device, session, origin, attempt, reason } = said;
  const attributes = {
    "voxbus.device": device,
    "voxbus.session": session,
    "voxbus.turn.origin": origin,
    "voxbus.attempt": attempt,
    ...(reason === undefined ? {} : { "voxbus.turn.reason": reason }),
  };
  const parent = contextOf(said.trace);
  const span = trace.getTracer("voxbus").startSpan("dialogue", { attributes }, parent);
  try {
    const outcome = await context.with(trace.setSpan(parent, span), () => work({ ...said, trace: traceOf(span) }));
    span.setAttribute("voxbus.dialogue.outcome", outcome);
    if (outcome === "apologised") span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
    return outcome;
  } catch (error) {
    span.setAttribute("error.type", error instanceof Error ? error.name : "error");
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Something happened to the turn in hand, such as `first sentence`. */
export function markTurn(event: string): void {
  trace.getActiveSpan()?.addEvent(event);
}

/** Puts what was said and answered into the trace; only where `VOXBUS_TRACE_CONTENT` asks for it. */
export function tellContent(heard: string, answered: string): void {
  trace.getActiveSpan()?.setAttributes({ "voxbus.turn.heard": heard, "voxbus.turn.answered": answered });
}
