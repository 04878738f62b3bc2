import { availableParallelism, cpus, hostname } from "node:os";
import type { Bus, Closer } from "@voxbus/bus";
import { channels, type BadMessage, type PoolStats, type Stats } from "@voxbus/protocol";
import { ulid } from "ulid";

const usualMs = 5000;
/** The shortest time between two reports, ms. */
const leastMs = 250;
const mostBadMessages = 16;

/** Adds a program's own numbers to its report. Each function is called whenever the program reports. */
export interface ReportDetails {
  /** The gateway's id. */
  readonly id?: string;
  /** Threads that may be busy at once, the main one included; default 1. */
  readonly threads?: number;
  readonly gauges?: () => Readonly<Record<string, number>>;
  readonly totals?: () => Readonly<Record<string, number>>;
  readonly drops?: () => Readonly<Record<string, number>>;
  /** Messages of others that it does not use, beside those that its bus dropped. At most 16 of all are reported. */
  readonly badMessages?: () => readonly BadMessage[];
  /** Its pools. The gauge `queue` is the work that waits in them, unless the program has its own. */
  readonly pools?: () => readonly PoolStats[];
}

/** Describes who reports, and how often. */
export interface ReportOptions extends ReportDetails {
  readonly program: string;
  /** Memory, CPU and event-loop delay since the last read; closed with the report. */
  readonly vitals: {
    read(): Pick<Stats, "rss" | "heap" | "cpu" | "loopDelay">;
    close(): void;
  };
  /** Aborted when the program begins to stop. From then on it reports the state `draining`. */
  readonly signal?: AbortSignal;
  /** Interval in ms; default 5000. */
  readonly everyMs?: number;
}

/** A report that goes on until it is closed. */
export interface Report extends Closer {
  /** Reports a change of the program's own numbers early, at most four times a second. */
  soon(): void;
}

/**
 * Publishes a process's numbers on `stats.<program>`, at once and then every 5 s while NATS is connected. Closing it
 * publishes the state `stopped`: a process that falls silent without it counts as lost.
 */
export function reportVitals(bus: Bus, options: ReportOptions): Report {
  const { program, vitals, signal } = options;
  const instance = ulid();
  const started = performance.now();
  const cores = Math.min(options.threads ?? 1, availableParallelism());
  let closed = false;
  let reportedAt = -Infinity;
  let early: NodeJS.Timeout | undefined;
  /** The measurements since the report before. A report that comes early would measure too short a time. */
  let measured: Measured | undefined;

  const report = (state: Stats["state"], isEarly = false): void => {
    if (!bus.connected()) return;
    if (!isEarly || measured === undefined) measured = { vitals: vitals.read(), pools: options.pools?.() };
    reportedAt = performance.now();
    const { drops, held, rtt, ...totals } = bus.stats();
    const badMessages = [...bus.badMessages(), ...(options.badMessages?.() ?? [])].slice(0, mostBadMessages);
    const { id } = options;
    const { pools } = measured;
    const stats: Stats = {
      program,
      instance,
      ...(id === undefined ? {} : { id }),
      state,
      host: hostname(),
      pid: process.pid,
      at: Date.now(),
      uptime: Math.round(performance.now() - started),
      ...measured.vitals,
      cores,
      gauges: {
        claims: held,
        storageFailed: bus.storing() ? 0 : 1,
        rtt: Math.round(rtt * 100) / 100,
        ...(pools && { queue: countWaiting(pools) }),
        hostCores: availableParallelism(),
        ...options.gauges?.(),
      },
      totals: { ...totals, ...readCpuTimes(), ...options.totals?.() },
      drops: sumByName(drops, options.drops?.() ?? {}),
      ...(pools && { pools: [...pools] }),
      ...(badMessages.length > 0 ? { badMessages } : {}),
    };
    bus.publish(channels.stats(program), stats);
  };
  const reportNow = (): void => report(signal?.aborted ? "draining" : "running");

  const timer = setInterval(reportNow, options.everyMs ?? usualMs);
  timer.unref();
  signal?.addEventListener("abort", reportNow, { once: true });
  const watch = bus.onChange((connected) => connected && reportNow());
  reportNow();
  return {
    soon() {
      if (closed || early !== undefined) return;
      const send = () => {
        early = undefined;
        report(signal?.aborted ? "draining" : "running", true);
      };
      early = setTimeout(send, Math.max(0, reportedAt + leastMs - performance.now()));
      early.unref();
    },
    close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      clearTimeout(early);
      signal?.removeEventListener("abort", reportNow);
      watch.close();
      report("stopped");
      vitals.close();
    },
  };
}

interface Measured {
  readonly vitals: Pick<Stats, "rss" | "heap" | "cpu" | "loopDelay">;
  readonly pools: readonly PoolStats[] | undefined;
}

function countWaiting(pools: readonly PoolStats[]): number {
  return pools.reduce((sum, { work }) => sum + work.reduce((of, { waiting }) => of + waiting, 0), 0);
}

/** The CPU time of this process, and that of everything on its host since the host started (ms). */
function readCpuTimes(): Readonly<Record<string, number>> {
  const { user, system } = process.cpuUsage();
  const cores = cpus();
  const hostCpuMs = cores.reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
  // Without a free descriptor the system lists no cores.
  return { cpuMs: Math.round((user + system) / 1000), ...(cores.length > 0 ? { hostCpuMs } : {}) };
}

/** Adds two sets of counts: a program may count under the same names as the bus. */
function sumByName(some: Readonly<Record<string, number>>, more: Readonly<Record<string, number>>) {
  const sum = { ...some };
  for (const [name, count] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
