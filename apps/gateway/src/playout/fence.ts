import type { Uplink } from "../uplink/uplink.ts";
import type { Counters } from "../observe/counters.ts";

/** One session's fence: a seq that never falls. Nothing of a turn whose origin is at or below it reaches the device. */
export class Fence {
  readonly #uplink: Pick<Uplink, "seq" | "send">;
  readonly #drops: Counters["drops"];
  #seq = 0;
  #dropped = 0;

  constructor(uplink: Pick<Uplink, "seq" | "send">, drops: Counters["drops"]) {
    this.#uplink = uplink;
    this.#drops = drops;
  }

  get seq(): number {
    return this.#seq;
  }

  /** Tells whether a frame caused by `origin` may pass. If not, it is counted as dropped. */
  admits(origin: number): boolean {
    if (origin > this.#uplink.seq) {
      this.#drops["future-origin"] += 1;
      return false;
    }
    if (origin > this.#seq) return true;
    this.drop();
    return false;
  }

  /** Counts a frame that came too late. */
  drop(): undefined {
    this.#dropped += 1;
    this.#drops.fenced += 1;
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
    this.#uplink.send({ kind: "control", body });
  }
}
