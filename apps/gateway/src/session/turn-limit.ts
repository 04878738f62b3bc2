import type { Counters } from "../observe/counters.ts";
import type { Clock } from "../playout/clock.ts";
import type { Downlink } from "../playout/downlink.ts";
import type { TurnBudget } from "./turn-budget.ts";

/** Dependencies of a turn limit. */
export interface TurnLimitDeps {
  readonly budget: TurnBudget;
  readonly clock: Pick<Clock, "now">;
  readonly drops: Counters["drops"];
  readonly downlink: Pick<Downlink, "writeText">;
}

/**
 * Holds one session to its device's turns per minute. Typed text is a turn, and so is a listen with its first transcript.
 * Each further transcript of the same listen is another turn.
 */
export class TurnLimit {
  readonly #deps: TurnLimitDeps;
  readonly #device: string;
  /** The first transcript of this listen was charged with it. */
  #isPrepaid = false;

  constructor(deps: TurnLimitDeps, device: string) {
    this.#deps = deps;
    this.#device = device;
  }

  /** Charges typed text. Returns false if it must be dropped. */
  type(): boolean {
    return this.#take() || this.#refuse();
  }

  /** Charges a listen. Returns false if it must wait. */
  listen(): boolean {
    return this.listenLate() || this.#refuse();
  }

  /** Charges a listen that has waited. Returns false if it must wait longer. */
  listenLate(): boolean {
    this.#isPrepaid = this.#take();
    return this.#isPrepaid;
  }

  /** Charges a transcript. Returns false if it must be dropped. */
  transcript(): boolean {
    if (!this.#isPrepaid) return this.type();
    this.#isPrepaid = false;
    return true;
  }

  #take(): boolean {
    const { budget, clock } = this.#deps;
    return budget.take(this.#device, clock.now());
  }

  #refuse(): false {
    const { budget, clock, drops, downlink } = this.#deps;
    drops["turn-rate"] += 1;
    if (budget.mustTell(this.#device, clock.now())) {
      const message = "Too many questions in a short time. Please wait a moment.";
      downlink.writeText({ type: "alert", status: "Wait", message, emotion: "neutral" });
    }
    return false;
  }
}
