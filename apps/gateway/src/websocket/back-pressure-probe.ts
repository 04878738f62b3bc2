import { fixedLimits } from "../limits.ts";

/** A device that is sent sound is pinged at this interval, ms. */
const pingMs = 2000;

/**
 * Judges whether a device takes in the sound that it is sent. The socket's buffer does not tell: the kernel accepts
 * megabytes for a device that has stopped reading. So the device is pinged while it is sent sound. A device that never
 * answered a ping is never judged. All times in ms.
 */
export class BackPressureProbe {
  readonly #slowMs: number;
  #answers: boolean;
  #pingedAt = -Infinity;
  /** Time of the oldest ping that was not answered. */
  #unansweredSince: number | undefined;
  #wantedAt = 0;

  /** `answers`: the device has answered a ping before. After `slowMs` without a pong it is slow. */
  constructor(slowMs: number, answers: boolean) {
    this.#slowMs = slowMs;
    this.#answers = answers;
  }

  /** There is sound to write. Returns true if the device must be pinged now. */
  want(now: number): boolean {
    this.#wantedAt = now;
    if (now - this.#pingedAt < pingMs) return false;
    this.#pingedAt = now;
    this.#unansweredSince ??= now;
    return true;
  }

  /** Tells whether sound may be written. If not, pongs are late. */
  mayWrite(now: number): boolean {
    const since = this.#unansweredSince;
    return !this.#answers || since === undefined || now - since < fixedLimits.latePongMs;
  }

  /** A pong came. */
  pong(): void {
    this.#answers = true;
    this.#unansweredSince = undefined;
  }

  /** Gives the time of the next check, `slow` if the device takes nothing in, or undefined if no pong is missing. */
  check(now: number): number | "slow" | undefined {
    // Without sound that waits, silence is for the heartbeat to judge.
    if (now - this.#wantedAt > pingMs) this.#unansweredSince = undefined;
    if (this.#unansweredSince === undefined) return undefined;
    const slowAt = this.#unansweredSince + this.#slowMs;
    if (now < slowAt) return slowAt;
    return this.#answers ? "slow" : undefined;
  }
}
