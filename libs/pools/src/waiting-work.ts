import type { Priority } from "@voxbus/protocol";

/** Work that asks for a place. Times in ms of `performance.now()`. */
export interface AdmissionRequest {
  readonly priority: Priority;
  /** When its turn began. */
  readonly since: number;
  /** Called once if a person must be told that the work waits. */
  readonly onWait?: () => void;
}

/** Too much waits, or the work has waited too long. */
export class ShedError extends Error {
  override readonly name = "ShedError";
}

/** Work that waits for a place, until it is admitted, shed or aborted. */
export class WaitingWork {
  readonly since: number;
  /** Resolves with the function that gives the place back. Rejects with ShedError, or with the signal's reason. */
  readonly entered: Promise<() => void>;
  readonly #request: AdmissionRequest;
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: (work: WaitingWork) => void;
  readonly #timers: NodeJS.Timeout[] = [];
  #resolve!: (leave: () => void) => void;
  #reject!: (reason: unknown) => void;

  /** `onEnd` is called when the work waits no longer. */
  constructor(request: AdmissionRequest, signal: AbortSignal | undefined, onEnd: (work: WaitingWork) => void) {
    this.since = request.since;
    this.#request = request;
    this.#signal = signal;
    this.#onEnd = onEnd;
    this.entered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  admit(leave: () => void): void {
    this.#end();
    this.#resolve(leave);
  }

  shed(reason: string): void {
    this.#end();
    this.#reject(new ShedError(reason));
  }

  /** Waits. Both times are ages of the turn, ms: a person is told at the first, and the work is shed at the second. */
  wait({ tellMs, patienceMs }: { readonly tellMs: number; readonly patienceMs: number }): void {
    const at = (age: number, act: () => void) =>
      this.#timers.push(setTimeout(act, Math.max(0, this.since + age - performance.now())));
    if (this.#request.onWait) at(tellMs, this.#request.onWait);
    at(patienceMs, () => this.shed(`no place was free for ${patienceMs} ms`));
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
  }

  readonly #abort = (): void => {
    this.#end();
    this.#reject(this.#signal?.reason);
  };

  #end(): void {
    this.#onEnd(this);
    this.#timers.forEach(clearTimeout);
    this.#signal?.removeEventListener("abort", this.#abort);
  }
}

/** Chooses the next work of a queue that is not empty: the newest turn after `inTime`, or else the oldest one. */
export function chooseNext(queue: ReadonlySet<WaitingWork>, inTime: number): WaitingWork {
  const [first, ...others] = queue;
  return others.reduce((best, one) => {
    const [bestIsLate, isLate] = [best.since <= inTime, one.since <= inTime];
    if (bestIsLate !== isLate) return isLate ? best : one;
    return one.since < best.since === isLate ? one : best;
  }, first!);
}
