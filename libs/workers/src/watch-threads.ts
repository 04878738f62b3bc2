import type { Thread } from "./thread.ts";

const everyMs = 1000;

/** Terminates each thread that makes no step for `hangMs` of its own time, until it is closed. */
export function watchThreads(threads: ReadonlySet<Thread>, hangMs: number): { close(): void } {
  const intervalMs = Math.min(everyMs, hangMs);
  let probedAt = performance.now();
  const probe = () => {
    const now = performance.now();
    // If this timer is very late, the whole process may have stood still.
    const elapsedMs = Math.min(now - probedAt, 2 * intervalMs);
    probedAt = now;
    for (const thread of threads) thread.probe({ elapsedMs, hangMs });
  };
  const timer = setInterval(probe, intervalMs);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
