import type { StopMode } from "@voxbus/service";
import { stopGraceMs } from "./stop-grace.ts";

/** The work of async handlers, which a program that stops waits for. */
export interface HandlerWork {
  /** Counts a handler's result as work until it settles, and gives it back. */
  track(result: unknown): unknown;
  /** Resolves when no work is left or its time is up. A later call may shorten the time. */
  finish(mode: StopMode): Promise<void>;
  /** The messages that are handled now, or wait for their handler. */
  count(): number;
}

/** Creates the work of a program that has none yet. */
export function createHandlerWork(): HandlerWork {
  let count = 0;
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  let isFinishing = false;
  const settle = (): void => {
    count -= 1;
    if (isFinishing && count === 0) end();
  };
  return {
    track(result) {
      if (!(result instanceof Promise)) return result;
      count += 1;
      return result.finally(settle);
    },
    async finish(mode) {
      isFinishing = true;
      if (count === 0) return;
      const timer = setTimeout(end, stopGraceMs[mode]);
      await ended;
      clearTimeout(timer);
    },
    count: () => count,
  };
}
