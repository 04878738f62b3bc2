import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Log } from "./log.ts";

/** The load of a process: bytes of objects and buffers, and the delay of its event loop, ms (p99 since the last read). */
export interface LoadReading {
  readonly memory: number;
  readonly loopDelay: number;
}

/** A threshold that a process is over. */
export type LoadReason = "memory" | "loop-delay";

/** Watches the load of this process. */
export interface LoadGuard {
  /** Gives the threshold that the process is over, or undefined. */
  over(): LoadReason | undefined;
  close(): void;
}

/** Options of a guard. */
export interface LoadGuardOptions {
  readonly memoryBytes: number;
  readonly loopDelayMs: number;
  readonly log: Pick<Log, "warn" | "info">;
  /** Log messages: what ceases above a threshold, and what begins again below it. */
  readonly messages: { readonly over: string; readonly under: string };
  readonly read?: () => LoadReading;
  /** The time between two checks, ms. */
  readonly everyMs?: number;
}

const resolutionMs = 20;
/** A process is over a threshold after this number of checks in a row, and below it again after as many. */
const checks = 2;
/** Below this share of a threshold a process is calm again. */
const calmShare = 0.9;

/**
 * Creates a guard that begins to measure now. The memory is that of objects and buffers: resident memory does not fall again after a
 * peak.
 */
export function createLoadGuard(options: LoadGuardOptions): LoadGuard {
  const { memoryBytes, loopDelayMs, log, messages, everyMs = 1000 } = options;
  const own = options.read === undefined ? createReader() : undefined;
  const read = options.read ?? own!.read;
  let reason: LoadReason | undefined;
  let streak = 0;

  const check = () => {
    const { memory, loopDelay } = read();
    const share = reason === undefined ? 1 : calmShare;
    const isOver = { memory: memory > memoryBytes * share, "loop-delay": loopDelay > loopDelayMs * share };
    const now = isOver.memory ? "memory" : isOver["loop-delay"] ? "loop-delay" : undefined;
    if ((now === undefined) === (reason === undefined)) {
      streak = 0;
      reason = now;
      return;
    }
    streak += 1;
    if (streak < checks) return;
    streak = 0;
    const fields = { reason: now ?? reason, megabytes: Math.round(memory / 1_000_000), loopDelay };
    reason = now;
    if (reason) log.warn(fields, messages.over);
    else log.info(fields, messages.under);
  };
  const timer = setInterval(check, everyMs);
  timer.unref();
  return {
    over: () => reason,
    close() {
      clearInterval(timer);
      own?.close();
    },
  };
}

function createReader() {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  return {
    read(): LoadReading {
      const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
      const loopDelay = Math.max(0, Math.round(delay.percentile(99) / 1e6 - resolutionMs));
      delay.reset();
      return { memory: heap + external, loopDelay };
    },
    close: () => void delay.disable(),
  };
}
