import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
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

/**
 * Creates a reader of this process's resident memory, in bytes. Without a free descriptor the system does not tell it:
 * then the reader gives the last value.
 */
export function createMemoryReader(): () => number {
  let last = 0;
  const read = () => {
    try {
      last = process.memoryUsage.rss();
    } catch {
      // no descriptor is free
    }
    return last;
  };
  read();
  return read;
}

/** Measures this process: memory, CPU, and the delay of the event loop (p99 since the last read). */
export function createVitals(): VitalsReader {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let at = performance.now();
  let used = process.cpuUsage();
  const readMemory = createMemoryReader();
  return {
    read() {
      const now = performance.now();
      const usage = process.cpuUsage();
      const cpu = (usage.user + usage.system - used.user - used.system) / 1000 / Math.max(1, now - at);
      at = now;
      used = usage;
      const loopDelay = Math.max(0, delay.percentile(99) / 1e6 - 20);
      delay.reset();
      return {
        rss: readMemory(),
        heap: getHeapStatistics().used_heap_size,
        cpu: Math.round(cpu * 1000) / 1000,
        loopDelay: Math.round(loopDelay * 10) / 10,
      };
    },
    close: () => delay.disable(),
  };
}

/** Shows memory, CPU time and event-loop delay of this process in its metrics. */
export function observeProcess(meter: Meter, program: string): VitalsReader {
  const vitals = createVitals();
  const readMemory = createMemoryReader();
  const labels = { program };
  meter
    .createObservableGauge("voxbus_process_memory_bytes", { description: "Resident memory" })
    .addCallback((result) => result.observe(readMemory(), labels));
  meter
    .createObservableCounter("voxbus_process_cpu_seconds", { description: "CPU time, user and system" })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6, labels);
    });
  meter
    .createObservableGauge("voxbus_process_event_loop_delay_seconds", {
      description: "Delay of the event loop, p99 since the last read",
    })
    .addCallback((result) => result.observe(vitals.read().loopDelay / 1000, labels));
  return vitals;
}
