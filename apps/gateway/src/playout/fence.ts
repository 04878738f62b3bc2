import type { PlayoutDeps } from "./playout-deps.ts";

type FenceDeps = Pick<PlayoutDeps, "uplink" | "drops" | "refuseFrame">;

/** One session's fence: a seq that never falls. Nothing of a turn whose origin is at or below it reaches the device. */
export class Fence {
  readonly #deps: FenceDeps;
  #seq = 0;
  #dropped = 0;

  constructor(deps: FenceDeps) {
    this.#deps = deps;
  }

  get seq(): number {
    return this.#seq;
  }

  /** Tells whether a frame caused by `origin` may pass. If not, it is counted as dropped. */
  admits(origin: number): boolean {
    if (origin > this.#deps.uplink.seq) {
      this.#deps.refuseFrame("future-origin");
      return false;
    }
    if (origin > this.#seq) return true;
    this.drop();
    return false;
  }

  /** Counts a frame that came too late. */
  drop(): undefined {
    this.#dropped += 1;
    this.#deps.drops.fenced += 1;
  }

  /** Gives the number of frames that came too late since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Raises the fence to `seq`, if it is lower. */
  raise(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  /** Tells the programs where the fence is. `reply` names an announcement that was cut. */
  publish(reply?: string): void {
    const body = { type: "fence" as const, fence: this.#seq, ...(reply === undefined ? {} : { reply }) };
    this.#deps.uplink.send({ kind: "control", body });
  }
}
