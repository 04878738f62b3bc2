import type { Meter } from "@opentelemetry/api";
import type { PoolWork } from "@voxbus/protocol";
import type { PoolRecorder } from "./recorder.ts";

type Counted = "submitted" | "waited" | "done" | "failed" | "timedOut" | "shed";
type Current = "running" | "waiting" | "peak";

const counters: Readonly<Record<Counted, readonly [name: string, description: string]>> = {
  submitted: ["voxbus_pool_submitted", "Jobs that a pool was asked to do"],
  waited: ["voxbus_pool_waited", "Jobs that had to wait before they ran"],
  done: ["voxbus_pool_done", "Jobs that were done"],
  failed: ["voxbus_pool_failed", "Jobs that failed"],
  timedOut: ["voxbus_pool_timed_out", "Jobs that ran too long"],
  shed: ["voxbus_pool_shed", "Jobs that were refused, or given up while they waited"],
};
const gauges: Readonly<Record<Current, readonly [name: string, description: string]>> = {
  running: ["voxbus_pool_running", "Jobs that run"],
  waiting: ["voxbus_pool_waiting", "Jobs that wait"],
  peak: ["voxbus_pool_peak", "The most jobs that ran at the same time"],
};
const quantiles = [
  ["0.5", "p50"],
  ["0.95", "p95"],
  ["0.99", "p99"],
] as const;

/** Creates the series `voxbus_pool_*` of a program's pools. They have values from the start. */
export function observePools(meter: Meter, pools: () => readonly Pick<PoolRecorder, "read">[]): void {
  const counted = Object.entries(counters).map(([field, [name, description]]) => {
    return [field as keyof PoolWork, meter.createObservableCounter(name, { description })] as const;
  });
  const current = Object.entries(gauges).map(([field, [name, description]]) => {
    return [field as keyof PoolWork, meter.createObservableGauge(name, { description })] as const;
  });
  const gauge = (name: string, description: string) => meter.createObservableGauge(name, { description });
  const waits = gauge("voxbus_pool_wait_seconds", "Quantiles of the time that jobs waited, of the last minute");
  const works = gauge("voxbus_pool_work_seconds", "Quantiles of the time that jobs ran, of the last minute");
  const waitMeans = gauge("voxbus_pool_wait_mean_seconds", "Mean of the time that jobs waited, of the last minute");
  const workMeans = gauge("voxbus_pool_work_mean_seconds", "Mean of the time that jobs ran, of the last minute");
  const slots = gauge("voxbus_pool_slots", "Slots or threads of a pool");
  const busy = meter.createObservableCounter("voxbus_pool_busy_seconds", {
    description: "Time in which slots or threads were busy, all of a pool together",
  });
  const limited = meter.createObservableCounter("voxbus_pool_limited", {
    description: "Jobs that waited, or were refused, because of the limit of calls in a minute",
  });
  meter.addBatchObservableCallback(
    (result) => {
      for (const numbers of pools().map((pool) => pool.read())) {
        const pool = { pool: numbers.name };
        result.observe(slots, numbers.slots, pool);
        result.observe(busy, numbers.busyMs / 1000, pool);
        result.observe(limited, numbers.limited, pool);
        for (const work of numbers.work) {
          const labels = { ...pool, priority: work.priority };
          for (const [field, series] of [...counted, ...current]) result.observe(series, work[field] as number, labels);
          result.observe(waitMeans, work.waitMs.mean / 1000, labels);
          result.observe(workMeans, work.workMs.mean / 1000, labels);
          for (const [quantile, rank] of quantiles) {
            result.observe(waits, work.waitMs[rank] / 1000, { ...labels, quantile });
            result.observe(works, work.workMs[rank] / 1000, { ...labels, quantile });
          }
        }
      }
    },
    [...counted, ...current]
      .map(([, series]) => series)
      .concat([waits, works, waitMeans, workMeans, slots, busy, limited]),
  );
}
