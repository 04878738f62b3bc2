import { availableParallelism, hostname } from "node:os";
import { busVersion, subjects, type Stats } from "@voxbus/protocol";
import { ulid } from "ulid";
import type { Bus, Closer } from "./bus.ts";

const usualMs = 5000;

/** What a process tells of itself beside what its connection knows. */
export interface ReportOptions {
  readonly program: string;
  /** Of a gateway: its id. */
  readonly id?: () => string | undefined;
  /** Memory, CPU and event-loop delay since the last read; closed with the report. */
  readonly vitals: {
    read(): Pick<Stats, "rss" | "heap" | "cpu" | "loopDelay">;
    close(): void;
  };
  /** Threads that may be busy at once, the main one included; default 1. */
  readonly threads?: number;
  /** Aborted when the program begins to stop: from then on it says that it drains. */
  readonly signal?: AbortSignal;
  readonly gauges?: () => Readonly<Record<string, number>>;
  readonly totals?: () => Readonly<Record<string, number>>;
  readonly drops?: () => Readonly<Record<string, number>>;
  /** Default 5 s. */
  readonly everyMs?: number;
}

/**
 * Publishes a process's numbers on `stats.<program>`, at once and then every 5 s while NATS is there. Closed, it says a
 * last time that the process stopped: a process that falls silent without having said so is lost.
 */
export function reportVitals(bus: Bus, options: ReportOptions): Closer {
  const { program, vitals, signal } = options;
  const instance = ulid();
  const started = performance.now();
  const cores = Math.min(options.threads ?? 1, availableParallelism());
  let closed = false;

  const report = (state: Stats["state"]): void => {
    if (!bus.connected()) return;
    const { drops, held, rtt, ...totals } = bus.stats();
    const id = options.id?.();
    const stats: Stats = {
      v: busVersion,
      program,
      instance,
      ...(id === undefined ? {} : { id }),
      state,
      host: hostname(),
      pid: process.pid,
      at: Date.now(),
      uptime: Math.round(performance.now() - started),
      ...vitals.read(),
      cores,
      gauges: { claims: held, rtt: Math.round(rtt * 100) / 100, ...options.gauges?.() },
      totals: { ...totals, ...options.totals?.() },
      drops: { ...drops, ...options.drops?.() },
    };
    bus.publish(subjects.stats(program), stats);
  };
  const reportNow = (): void => report(signal?.aborted ? "draining" : "running");

  const timer = setInterval(reportNow, options.everyMs ?? usualMs);
  timer.unref();
  signal?.addEventListener("abort", reportNow, { once: true });
  const watch = bus.onChange((connected) => connected && reportNow());
  reportNow();
  return {
    close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      signal?.removeEventListener("abort", reportNow);
      watch.close();
      report("stopped");
      vitals.close();
    },
  };
}
