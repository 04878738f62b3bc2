/** A token bucket: `rate` a second, `burst` at once. */
export class Budget {
  readonly #rate: number;
  readonly #burst: number;
  #left: number;
  #at = 0;

  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#left = burst;
  }

  /** Takes `amount`, or nothing and false. `now` in ms. */
  take(now: number, amount = 1): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#rate);
    this.#at = now;
    if (this.#left < amount) return false;
    this.#left -= amount;
    return true;
  }
}

/** What one session may send, frames, bytes and messages a second; and for how long it may err, ms. */
export interface SessionLimits {
  readonly audioFrames: number;
  readonly audioBytes: number;
  readonly messages: number;
  /** Audio may be over its budget for so long. */
  readonly floodMs: number;
  /** A device may take nothing of its sound in for so long. */
  readonly slowMs: number;
}

/** After so long without a drop, ms, a flood is over. */
const floodPauseMs = 2000;

/** Tells how long a device has been sending more than it may. */
export class Flood {
  #since = 0;
  #at = -Infinity;

  /** Something was over the budget, `now` in ms: for how long there has been no pause in that. */
  over(now: number): number {
    if (now - this.#at > floodPauseMs) this.#since = now;
    this.#at = now;
    return now - this.#since;
  }
}

/** Bytes that this process holds for its sessions, of all queues together. */
export interface Held {
  /** Bytes held now. */
  readonly bytes: number;
  /** Takes room for `bytes`; false, and nothing taken, beyond the limit. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** Counts the bytes held against a limit. */
export function createHeld(limit: number): Held {
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
