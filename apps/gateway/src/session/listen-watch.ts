import type { OutControl } from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";

type Sign = Extract<OutControl, { type: "listening" }>;

/**
 * Watches over the open listen of a session. A recognizer that follows it sends a sign every 5 s. If the signs cease, the
 * recognizer is gone and no other one has taken its place: the stream may have forgotten the listen's message. The listen
 * must then be opened again. Times in ms.
 */
export class ListenWatch {
  #seq: number | undefined;
  #signedAt: number | undefined;
  #patienceMs: number = fixedLimits.listenSignMs;

  /** The device started a listen. */
  start(): void {
    this.#patienceMs = fixedLimits.listenSignMs;
    this.stop();
  }

  /** The opening frame of the listen was published as `seq`, for the first time or again. */
  opened(seq: number | undefined): void {
    this.#seq = seq;
    this.#signedAt = undefined;
  }

  /** The listen is over. */
  stop(): void {
    this.opened(undefined);
  }

  /** A sign came. Returns true if the listen must be opened again at once. */
  sign({ seq, state }: Sign, now: number): boolean {
    if (seq !== this.#seq) return false;
    if (state === "over") this.stop();
    else this.#signedAt = now;
    return state === "again";
  }

  /** Tells whether the signs have ceased. The patience doubles each time, because the listen may be killing recognizers. */
  isAbandoned(now: number): boolean {
    // Without any sign the opening message waits for a recognizer, or the recognizer is one that sends none.
    if (this.#signedAt === undefined || now - this.#signedAt < this.#patienceMs) return false;
    this.#patienceMs *= 2;
    return true;
  }
}
