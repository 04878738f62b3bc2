import type { AwaitedTurn } from "./turn.ts";

/** A device whose turn no program works on is told that it must wait after this time, ms. */
const noSignMs = 400;
/** A device whose turn waits for its place is told at this age of the turn, ms. Within 500 ms it knows. */
const waitMs = 300;
/** If a wait ends this shortly before its notice is due (ms), the notice is given all the same: the next program may let the turn wait. */
const firmMs = 100;
/** If a notice is this late (ms), our own event loop stalled, and a sign may wait to be read. */
const stallMs = 50;
const readMs = 10;

/** Decides when the user of a turn is told to wait: no program works on it, or it waits for its place. Once a turn. Times in ms. */
export class Patience {
  /** The newest turn whose user was told. */
  #told = 0;
  /** The newest turn that was given time for a sign, after a stall. */
  #spared = 0;

  /** An answer is awaited from now on. `isTold`: a notice plays, which is meant for this turn too. */
  begin(turn: AwaitedTurn, isTold: boolean, now: number): void {
    if (isTold) this.told(turn.origin);
    turn.noticeAt = now + noSignMs;
  }

  /** Takes a sign of life for the turns up to `origin`. `waits`: they wait for their place. Returns true if the user must be told. */
  sign(origin: number, waits: boolean, awaited: AwaitedTurn | undefined, now: number): boolean {
    const isNews = waits && origin > this.#told;
    if (awaited?.state === "awaited" && awaited.origin <= origin) {
      const isFirm = awaited.waits && now >= awaited.noticeAt - firmMs;
      if (isNews) awaited.noticeAt = Math.max(now, awaited.startedAt + waitMs);
      else if (!isFirm) awaited.noticeAt = Infinity;
      awaited.waits = waits || isFirm;
    }
    return isNews;
  }

  /** Gives the time at which the user is told. */
  due(turn: AwaitedTurn, now: number): number {
    if (turn.origin <= this.#told) return Infinity;
    if (now > turn.noticeAt + stallMs && turn.origin > this.#spared) {
      this.#spared = turn.origin;
      turn.noticeAt = now + readMs;
      turn.waits = false;
    }
    return turn.noticeAt;
  }

  /** The user was told of the turn `origin`. */
  told(origin: number): void {
    this.#told = Math.max(this.#told, origin);
  }
}
