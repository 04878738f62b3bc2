import { context, trace, TraceFlags } from "@opentelemetry/api";
import type { Log } from "./log.ts";

/** Runs the work of a program once on made-up input, before anyone waits for it. */
export type Warm = (run: (signal: AbortSignal) => Promise<void>) => Promise<void>;

const limitMs = 5000;
// Work below a span that is not recorded leaves no spans.
const unrecorded = { traceId: "1".repeat(32), spanId: "1".repeat(16), traceFlags: TraceFlags.NONE };

/**
 * Creates the warm-up of a program. A run ends at the latest after 5 s, or when `signal` aborts. Its failure is logged and
 * prevents nothing: the first work is slower then.
 */
export function createWarm(log: Pick<Log, "debug" | "info">, signal: AbortSignal): Warm {
  return async (run) => {
    const began = performance.now();
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(new Error(`the warm-up took more than ${limitMs} ms`)), limitMs);
    const stop = AbortSignal.any([signal, end.signal]);
    const stopped = new Promise<never>((_, reject) => {
      stop.addEventListener("abort", () => reject(stop.reason as Error), { once: true });
    });
    try {
      const parent = trace.setSpan(context.active(), trace.wrapSpanContext(unrecorded));
      await Promise.race([context.with(parent, () => run(stop)), stopped]);
      log.debug({ ms: Math.round(performance.now() - began) }, "warm-up finished");
    } catch (err) {
      if (!signal.aborted) log.info({ err }, "warm-up not finished");
    } finally {
      clearTimeout(timer);
      stopped.catch(() => undefined);
      end.abort(new Error("the warm-up is over"));
    }
  };
}
