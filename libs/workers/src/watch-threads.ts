import type { Thread } from "./thread.ts";

const everyMs = 1000;

/** Terminates each thread that does not return to its event loop for `hangMs`, until it is closed. */
export function watchThreads(threads: ReadonlySet<Thread>, hangMs: number): { close(): void } {
  let probedAt = performance.now();
  const probe = () => {
    const now = performance.now();
    // If this timer is late, so is the reading of pongs that have arrived already: judge at the next one.
    const mayKill = now - probedAt <= 2 * everyMs;
    probedAt = now;
    for (const thread of threads) thread.probe({ now, mayKill, hangMs });
  };
  const timer = setInterval(probe, Math.min(everyMs, hangMs));
  timer.unref();
  return { close: () => clearInterval(timer) };
}
