import { getHeapStatistics } from "node:v8";
import type { Log } from "@voxbus/subscriber";

/** A gateway that uses less than this share of its threshold again takes new devices. */
const calmShare = 0.9;

/** Watches the memory of this process, and sheds load above a threshold instead of growing. */
export interface MemoryGuard {
  /** Measures the memory. Above the threshold it sheds what it can, and from the next check on it refuses new devices. */
  check(): void;
  /** True while new devices are refused. */
  refusing(): boolean;
}

/** Gives the bytes of JavaScript objects and buffers. It needs no descriptor, so it works when none is left. */
function readMemory(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

/** Creates the guard of one gateway. `shed` releases what the gateway can do without. */
export function createMemoryGuard(options: {
  readonly thresholdBytes: number;
  /** Called at each check above the threshold. */
  readonly shed: () => void;
  readonly log: Log;
  readonly read?: () => number;
}): MemoryGuard {
  const { thresholdBytes, shed, log, read = readMemory } = options;
  let state: "calm" | "shedding" | "refusing" = "calm";
  return {
    check() {
      const bytes = read();
      const megabytes = Math.round(bytes / 1_048_576);
      if (bytes > thresholdBytes) {
        if (state === "calm") log.error({ megabytes }, "memory threshold exceeded, frames kept for replay dropped");
        if (state === "shedding") log.error({ megabytes }, "memory threshold exceeded, new devices refused");
        state = state === "calm" ? "shedding" : "refusing";
        shed();
      } else if (state === "shedding" || (state === "refusing" && bytes < thresholdBytes * calmShare)) {
        log.warn({ megabytes }, "memory threshold kept again");
        state = "calm";
      }
    },
    refusing: () => state === "refusing",
  };
}
