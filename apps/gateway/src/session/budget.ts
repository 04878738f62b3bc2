import { fixedLimits, type Limits } from "../limits.ts";

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

type BudgetLimits = Pick<Limits, "bytesPerSecond" | "framesPerSecond" | "costPerSecond" | "floodMs">;

/** A burst may be this many times as long as a second. After a network stall, stock firmware sends up to 2.4 s of audio at once. */
const bursts = { bytes: 3, frames: 2, cost: 3 } as const;

/** The budgets of one session for everything that arrives: bytes, frames and cost. */
export class Budget {
  readonly #limits: BudgetLimits;
  /** The amounts that are left, or owed if negative, at the time `#at`. */
  #bytes: number;
  #frames: number;
  #cost: number;
  #at = 0;
  /** When the input began to exceed a budget without a pause, and when the debt is paid, ms. */
  #since = 0;
  #until = -Infinity;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
    this.#bytes = limits.bytesPerSecond * bursts.bytes;
    this.#frames = limits.framesPerSecond * bursts.frames;
    this.#cost = limits.costPerSecond * bursts.cost;
  }

  /** The time at which all debts are paid, ms. */
  get until(): number {
    return this.#until;
  }

  /** Charges input, on credit if need be. `now` in ms. */
  charge(now: number, { bytes, frames, cost }: Charge): Verdict {
    const { bytesPerSecond, framesPerSecond, costPerSecond, floodMs } = this.#limits;
    const seconds = (now - this.#at) / 1000;
    this.#at = now;
    const left = (before: number, rate: number, burst: number) => Math.min(rate * burst, before + seconds * rate);
    this.#bytes = left(this.#bytes, bytesPerSecond, bursts.bytes) - bytes;
    this.#frames = left(this.#frames, framesPerSecond, bursts.frames) - frames;
    this.#cost = left(this.#cost, costPerSecond, bursts.cost) - cost;
    const owed = Math.min(this.#bytes / bytesPerSecond, this.#frames / framesPerSecond, this.#cost / costPerSecond);
    if (owed >= 0) return "within";
    if (now > this.#until + fixedLimits.floodPauseMs) this.#since = now;
    this.#until = now - owed * 1000;
    return this.#until - this.#since >= floodMs ? "flood" : "over";
  }
}
