/** The progress of a thread, in memory that it shares with its pool. Neither waits for the other's event loop. */
export interface Progress {
  /** Counts a step. `task` is computed from now on; 0: none. */
  step(task: number): void;
  /** The number of steps. */
  readonly steps: number;
  /** The id of the task that is computed, or 0. */
  readonly task: number;
}

/** Creates the memory of a progress. */
export function createProgressMemory(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
}

/** Opens a progress, in the thread or in its pool. */
export function openProgress(memory: Int32Array): Progress {
  return {
    step(task) {
      Atomics.store(memory, 1, task);
      Atomics.add(memory, 0, 1);
    },
    get steps() {
      return Atomics.load(memory, 0);
    },
    get task() {
      return Atomics.load(memory, 1);
    },
  };
}
