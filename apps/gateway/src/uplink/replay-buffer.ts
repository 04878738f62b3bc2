import type { Held } from "../limits.ts";

/** How long published frames are kept for replay at least, ms; whole runs are forgotten, so some stay for 5 s more. */
export const replayMs = 30_000;
/** How many bytes of published frames are kept for replay. */
export const replayBytes = 512 * 1024;
const leastRunBytes = 256;
const mostRunBytes = 16 * 1024;

/** Consecutive frames, packed one behind the other. */
interface Run {
  readonly bytes: Buffer;
  readonly first: number;
  /** Where each frame ends. */
  readonly ends: number[];
  /** Time of the newest one, ms. */
  at: number;
}

/**
 * What one session published lately, for replays. Packed, since an object a frame of every speaking session is what a
 * garbage collector pauses for.
 */
export class KeptFrames {
  readonly #held: Held;
  #runs: Run[] = [];
  #bytes = 0;

  constructor(held: Held) {
    this.#held = held;
  }

  /** Keeps a copy of a frame; false when there is no room in the whole process. `at` in ms. */
  keep(seq: number, at: number, data: Uint8Array): boolean {
    const size = data.byteLength;
    let run = this.#runs.at(-1);
    const from = run?.ends.at(-1) ?? 0;
    if (!run || seq !== run.first + run.ends.length || from + size > run.bytes.byteLength) {
      const wanted = Math.min(mostRunBytes, run ? run.bytes.byteLength * 2 : leastRunBytes);
      const bytes = Math.max(size, wanted);
      if (!this.#held.take(bytes)) return false;
      this.#bytes += bytes;
      // Small ones share a block: a silent session has one run with a frame or two.
      run = { bytes: Buffer.allocUnsafe(bytes), first: seq, ends: [size], at };
      run.bytes.set(data);
      if (this.#runs.length === 0) this.#runs = [run];
      else this.#runs.push(run);
      while (this.#bytes > replayBytes && this.#runs.length > 1) this.#shed();
      return true;
    }
    run.bytes.set(data, from);
    run.ends.push(from + size);
    run.at = at;
    return true;
  }

  #shed(): void {
    const bytes = this.#runs.shift()?.bytes.byteLength ?? 0;
    this.#bytes -= bytes;
    this.#held.give(bytes);
  }

  /** Forgets what is too old; `now` in ms. */
  prune(now: number): void {
    while (this.#runs[0] && this.#runs[0].at <= now - replayMs) this.#shed();
  }

  /** Frames `from` to `to`, both included, that are still kept, in order. */
  read(from: number, to: number): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const { bytes, first, ends } of this.#runs) {
      const last = Math.min(to - first, ends.length - 1);
      for (let at = Math.max(0, from - first); at <= last; at += 1)
        frames.push(bytes.subarray(ends[at - 1] ?? 0, ends[at]));
    }
    return frames;
  }

  /** Forgets everything. */
  clear(): void {
    while (this.#runs.length > 0) this.#shed();
  }
}
