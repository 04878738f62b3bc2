import type { Arrival } from "@voxbus/bus";
import { FencedError, type Fences } from "./fences.ts";
import type { TurnId } from "./turn-id.ts";

/** Where a message came from, and a signal for the work on it. */
export interface From extends Arrival {
  /**
   * Aborted when the work on the message is useless: its time is up, or the fence of its session has reached its turn. Then
   * the user interrupted the turn, its reply was played to its end, it failed, or the session was closed.
   */
  readonly signal: AbortSignal;
}

/** Where a message of a turn came from. `reply` answers it. */
export interface FromTurn extends From, TurnId {}

/** The identity of a turn in its session. */
type Turn = Pick<TurnId, "session" | "origin">;

/** Where a message came from. A handler that does not look at the signal pays nothing for it. */
export class MessageSource implements From {
  readonly subject: string;
  readonly device: string;
  readonly trace: Readonly<Record<string, string>>;
  #ended: AbortController | undefined;
  #expired: Error | undefined;

  constructor({ subject, device, trace }: Arrival) {
    this.subject = subject;
    this.device = device;
    this.trace = trace;
  }

  get signal(): AbortSignal {
    if (this.#ended === undefined) {
      this.#ended = new AbortController();
      if (this.#expired !== undefined) this.#ended.abort(this.#expired);
    }
    return this.#ended.signal;
  }

  /** Aborts the signal. */
  expire(reason: Error): void {
    this.#expired = reason;
    this.#ended?.abort(reason);
  }
}

/** Where a message of a turn came from. It has to be closed after the work. */
export class TurnSource extends MessageSource implements FromTurn {
  readonly session: string;
  readonly origin: number;
  readonly #fences: Fences;
  #watch: ReturnType<Fences["watch"]> | undefined;
  #closed = false;

  constructor(arrival: Arrival, { session, origin }: Turn, fences: Fences) {
    super(arrival);
    this.session = session;
    this.origin = origin;
    this.#fences = fences;
  }

  override get signal(): AbortSignal {
    const own = super.signal;
    if (this.#watch === undefined && !this.#closed) {
      this.#watch = this.#fences.watch(this);
      const { signal } = this.#watch;
      const pass = () => this.expire(signal.reason as Error);
      if (signal.aborted) pass();
      else signal.addEventListener("abort", pass, { once: true });
    }
    return own;
  }

  /** Tells whether the signal was seen to abort at the fence. An error is then no failure of the handler. */
  get isFenced(): boolean {
    return this.#watch?.signal.reason instanceof FencedError;
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
  }
}
