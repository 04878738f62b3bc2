import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Meter } from "@opentelemetry/api";

/** Measurements of a process: memory in bytes, `loopDelay` in ms, `cpu` in cores since the last read. */
export interface Vitals {
  readonly rss: number;
  readonly heap: number;
  readonly cpu: number;
  readonly loopDelay: number;
}

/** Reads the measurements of this process. */
export interface VitalsReader {
  read(): Vitals;
  close(): void;
}

/** Measures this process: memory, CPU, and the delay of the event loop (p99 since the last read). */
export function createVitals(): VitalsReader {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let at = performance.now();
  let used = process.cpuUsage();
  return {
    read() {
      const now = performance.now();
      const usage = process.cpuUsage();
      const cpu = (usage.user + usage.system - used.user - used.system) / 1000 / Math.max(1, now - at);
      at = now;
      used = usage;
      const loopDelay = Math.max(0, delay.percentile(99) / 1e6 - 20);
      delay.reset();
      const { rss, heapUsed } = process.memoryUsage();
      return { rss, heap: heapUsed, cpu: Math.round(cpu * 1000) / 1000, loopDelay: Math.round(loopDelay * 10) / 10 };
    },
    close: () => delay.disable(),
  };
}

/** Shows memory, CPU time and event-loop delay of this process in its metrics. */
export function observeProcess(meter: Meter, program: string): VitalsReader {
  const vitals = createVitals();
  const labels = { program };
  meter
    .createObservableGauge("voxbus_process_memory_bytes", { description: "Resident memory" })
    .addCallback((result) => result.observe(process.memoryUsage().rss, labels));
  meter
    .createObservableCounter("voxbus_process_cpu_seconds", { description: "CPU time, user and system" })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6, labels);
    });
  meter
    .createObservableGauge("voxbus_process_event_loop_delay_ms", {
      description: "Delay of the event loop, p99 since the last read",
    })
    .addCallback((result) => result.observe(vitals.read().loopDelay, labels));
  return vitals;
}
