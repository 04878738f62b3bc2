import { AsyncLocalStorage } from "node:async_hooks";
import { context } from "@opentelemetry/api";
import { contextOf, tracingIsOn, type Trace } from "@voxbus/bus";

const handled = new AsyncLocalStorage<Trace>();

/** Runs a handler in the trace of its message, so that what it sends and stores belongs to that trace. */
export function runInTrace<T>(trace: Trace, run: () => T): T {
  if (trace["traceparent"] === undefined) return run();
  if (tracingIsOn()) return context.with(contextOf(trace), run);
  return handled.run(trace, run);
}

/**
 * The trace of the message that is handled now, for a program without tracing: it passes on what it received. Undefined
 * outside of a handler, and with tracing, where the active span is the parent.
 */
export function handledTrace(): Trace | undefined {
  return tracingIsOn() ? undefined : handled.getStore();
}
