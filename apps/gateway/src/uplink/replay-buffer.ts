import { fixedLimits } from "../limits.ts";
import type { MemoryBudget } from "../memory-budget.ts";

const { replayMs, replayBytes } = fixedLimits;
const leastRunBytes = 256;
const mostRunBytes = 16 * 1024;

/** Consecutive frames, packed one behind the other. */
interface Run {
  readonly bytes: Buffer;
  readonly first: number;
  /** Offsets at which the frames end. */
  readonly ends: number[];
  /** Time of the newest frame, ms. */
  at: number;
}

/**
 * Keeps a session's recently published frames for replay. They are packed, because one object for each frame of every
 * speaking session makes the garbage collector pause.
 */
export class ReplayBuffer {
  readonly #memory: MemoryBudget;
  #runs: Run[] = [];
  #bytes = 0;

  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  /** Keeps a copy of a frame. Returns false when the process has no memory left for it. `at` in ms. */
  keep(seq: number, at: number, data: Uint8Array): boolean {
    const size = data.byteLength;
    let run = this.#runs.at(-1);
    const from = run?.ends.at(-1) ?? 0;
    if (!run || seq !== run.first + run.ends.length || from + size > run.bytes.byteLength) {
      const wanted = Math.min(mostRunBytes, run ? run.bytes.byteLength * 2 : leastRunBytes);
      const bytes = Math.max(size, wanted);
      if (!this.#memory.take(bytes)) return false;
      this.#bytes += bytes;
      // Small runs share a block of memory: a silent session has one run with a frame or two.
      run = { bytes: Buffer.allocUnsafe(bytes), first: seq, ends: [size], at };
      run.bytes.set(data);
      if (this.#runs.length === 0) this.#runs = [run];
      else this.#runs.push(run);
      while (this.#bytes > replayBytes && this.#runs.length > 1) this.#forgetOldest();
      return true;
    }
    run.bytes.set(data, from);
    run.ends.push(from + size);
    run.at = at;
    return true;
  }

  #forgetOldest(): void {
    const bytes = this.#runs.shift()?.bytes.byteLength ?? 0;
    this.#bytes -= bytes;
    this.#memory.give(bytes);
  }

  /** Forgets frames older than the limit; `now` in ms. */
  prune(now: number): void {
    while (this.#runs[0] && this.#runs[0].at <= now - replayMs) this.#forgetOldest();
  }

  /** Gives the kept frames with a seq from `from` to `to`, both included, in order. */
  read(from: number, to: number): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const { bytes, first, ends } of this.#runs) {
      const last = Math.min(to - first, ends.length - 1);
      for (let at = Math.max(0, from - first); at <= last; at += 1)
        frames.push(bytes.subarray(ends[at - 1] ?? 0, ends[at]));
    }
    return frames;
  }

  /** Forgets everything. Returns the number of frames. */
  clear(): number {
    const frames = this.#runs.reduce((sum, { ends }) => sum + ends.length, 0);
    while (this.#runs.length > 0) this.#forgetOldest();
    return frames;
  }
}
