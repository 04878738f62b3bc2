/** Limits the bytes that this process buffers for all its sessions together. */
export interface MemoryBudget {
  /** Bytes buffered now. */
  readonly bytes: number;
  /** Reserves `bytes`. Reserves nothing and returns false if that would exceed the limit. */
  take(bytes: number): boolean;
  /** Releases `bytes` that were reserved. */
  give(bytes: number): void;
}

/** Creates a budget of `limit` bytes. */
export function createMemoryBudget(limit: number): MemoryBudget {
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    take(more) {
      if (bytes + more > limit) return false;
      bytes += more;
      return true;
    },
    give(fewer) {
      bytes -= fewer;
    },
  };
}
