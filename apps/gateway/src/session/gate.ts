import type { Limits } from "../limits.ts";
import type { Clock, Ticker } from "../playout/clock.ts";
import { Budget, framePrice, priceRead, priceText, type Charge } from "./budget.ts";
import type { Transport } from "./transport.ts";

/** Dependencies of a gate. */
export interface GateDeps {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly transport: Pick<Transport, "pause" | "resume">;
  /** Closed when the device exceeds its budgets for long. */
  readonly session: { close(name: "flood"): void };
}

/**
 * Charges everything that arrives on one connection before anything else looks at it. While the device is over its budgets,
 * the gateway does not read from it: what it sends waits in its own network.
 */
export class Gate implements Ticker {
  readonly #deps: GateDeps;
  readonly #budget: Budget;
  #isPaused = false;

  constructor(deps: GateDeps) {
    this.#deps = deps;
    this.#budget = new Budget(deps.limits);
  }

  /** Charges a read from the network. */
  read(bytes: number): void {
    this.#charge(priceRead(bytes));
  }

  /** Charges a binary, ping or pong frame. Returns false if it is over the budget. */
  frame(): boolean {
    return this.#charge(framePrice);
  }

  /** Charges a text message. Returns false if it is over the budget. */
  text(bytes: number): boolean {
    return this.#charge(priceText(bytes));
  }

  #charge(charge: Charge): boolean {
    const { clock, session, transport } = this.#deps;
    const verdict = this.#budget.charge(clock.now(), charge);
    if (verdict === "within") return true;
    if (!this.#isPaused) {
      this.#isPaused = true;
      transport.pause();
      clock.wake(this, this.#budget.until);
    }
    if (verdict === "flood") session.close("flood");
    return false;
  }

  /** Reads again if the debt is paid; called by the clock. */
  tick(now: number): void {
    if (now < this.#budget.until) return this.#deps.clock.wake(this, this.#budget.until);
    this.#isPaused = false;
    this.#deps.transport.resume();
  }
}
