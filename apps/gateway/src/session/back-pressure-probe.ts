import type { Clock, Ticker } from "../playout/clock.ts";

/** How often a device that is sent sound is pinged, ms. */
const askMs = 2000;
/** Sound waits when a pong is so late, ms. */
const holdMs = 4000;

/** What a flow does. */
export interface FlowEffects {
  ping(): void;
  /** The device takes nothing in. */
  slow(): void;
}

/**
 * Whether a device takes in the sound that it is sent. What the socket holds tells nothing: the kernel swallows megabytes
 * for a device that has stopped reading. So it is pinged meanwhile; of one that never answered a ping nothing is concluded.
 */
export class Flow implements Ticker {
  readonly #clock: Clock;
  readonly #slowMs: number;
  readonly #effects: FlowEffects;
  #answers: boolean;
  #pingedAt = -Infinity;
  /** When the oldest ping was sent that is not answered. */
  #askedAt: number | undefined;
  #wantedAt = 0;
  #armed = false;

  /** `answers`: it has answered a ping before. After `slowMs` ms without a pong the device is slow. */
  constructor(clock: Clock, slowMs: number, answers: boolean, effects: FlowEffects) {
    this.#clock = clock;
    this.#slowMs = slowMs;
    this.#answers = answers;
    this.#effects = effects;
  }

  /** Sound is there to be written: whether it may be. */
  may(now: number): boolean {
    this.#wantedAt = now;
    if (now - this.#pingedAt >= askMs) {
      this.#pingedAt = now;
      this.#askedAt ??= now;
      this.#effects.ping();
      this.#arm();
    }
    return !this.#answers || this.#askedAt === undefined || now - this.#askedAt < holdMs;
  }

  /** A pong came. */
  pong(): void {
    this.#answers = true;
    this.#askedAt = undefined;
  }

  #arm(): void {
    if (this.#armed || this.#askedAt === undefined) return;
    this.#armed = true;
    this.#clock.wake(this, this.#askedAt + this.#slowMs);
  }

  /** Looks at the time; called by the clock. */
  tick(now: number): void {
    this.#armed = false;
    // Without sound that waits, silence is for the heartbeat to judge.
    if (now - this.#wantedAt > askMs) this.#askedAt = undefined;
    if (this.#askedAt === undefined || !this.#answers) return;
    if (now - this.#askedAt >= this.#slowMs) this.#effects.slow();
    else this.#arm();
  }
}
