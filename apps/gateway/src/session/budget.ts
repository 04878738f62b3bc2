import { fixedLimits, type Limits } from "../limits.ts";
import { TokenBucket } from "../token-bucket.ts";

/** `over`: beyond a budget now. `flood`: beyond it for too long, or by too much. */
export type Verdict = "within" | "over" | "flood";

/** Input that is charged. Cost in µs of estimated CPU time. */
export interface Charge {
  readonly bytes: number;
  readonly frames: number;
  readonly cost: number;
}

/** Estimates of CPU time, µs. Text is parsed, checked, and stored in a stream. */
const costs = { read: 5, byte: 0.03, frame: 20, text: 200, textByte: 0.1 } as const;

/** Prices a read from the socket. Messages in many tiny parts cost reads and bytes before they are messages. */
export function priceRead(bytes: number): Charge {
  return { bytes, frames: 0, cost: costs.read + bytes * costs.byte };
}

/** A frame that is not text: audio, ping or pong. */
export const framePrice: Charge = { bytes: 0, frames: 1, cost: costs.frame };

/** Prices a text message. */
export function priceText(bytes: number): Charge {
  return { bytes: 0, frames: 1, cost: costs.frame + costs.text + bytes * costs.textByte };
}

/** The budgets of one session for everything that arrives: bytes, frames and cost. */
export class Budget {
  readonly #bytes: TokenBucket;
  readonly #frames: TokenBucket;
  readonly #cost: TokenBucket;
  readonly #floodMs: number;
  /** When the input began to exceed a budget without a pause, and when the debt is paid, ms. */
  #since = 0;
  #until = -Infinity;

  constructor(limits: Pick<Limits, "bytesPerSecond" | "framesPerSecond" | "costPerSecond" | "floodMs">) {
    const { bytesPerSecond: bytes, framesPerSecond: frames, costPerSecond: cost, floodMs } = limits;
    this.#bytes = new TokenBucket(bytes, bytes * 3);
    // After a network stall, stock firmware sends up to 2.4 s of audio at once.
    this.#frames = new TokenBucket(frames, frames * 2);
    this.#cost = new TokenBucket(cost, cost * 3);
    this.#floodMs = floodMs;
  }

  /** The time at which all debts are paid, ms. */
  get until(): number {
    return this.#until;
  }

  /** Charges input, on credit if need be. `now` in ms. */
  charge(now: number, { bytes, frames, cost }: Charge): Verdict {
    const debt = Math.max(this.#bytes.spend(now, bytes), this.#frames.spend(now, frames), this.#cost.spend(now, cost));
    if (debt === 0) return "within";
    if (now > this.#until + fixedLimits.floodPauseMs) this.#since = now;
    this.#until = now + debt;
    return this.#until - this.#since >= this.#floodMs ? "flood" : "over";
  }
}
