import type { PlayoutBuffer } from "./buffer.ts";
import type { Pacer } from "./pacer.ts";

// Without echo cancellation a device hears itself this soon after its sound begins: the frames that it buffers, the room, and
// the time in which voice is detected.
const ownSoundMs = 1000;

/** The user's speech, and the reply that it may interrupt. All times in ms. */
export class Interruption {
  readonly #pacer: Pacer;
  readonly #longestMs: number;
  #speaks = false;
  /** The frame in which the user began to speak last. */
  #since = 0;
  /** True if the user began to speak while nothing played: that speech interrupts nothing. */
  #first = false;
  /** The reply that was paused last. Noise pauses a reply only once. */
  #paused: string | undefined;

  /** `longestMs`: after this time play-out goes on by itself. */
  constructor(pacer: Pacer, longestMs: number) {
    this.#pacer = pacer;
    this.#longestMs = longestMs;
  }

  /** True while the user speaks, or makes noise. */
  get speaks(): boolean {
    return this.#speaks;
  }

  /** The user began to speak, perhaps: the reply that plays pauses. Returns true if it does. */
  begin(seq: number, reply: PlayoutBuffer | undefined, now: number): boolean {
    if (!this.#speaks) this.#first = reply === undefined;
    this.#speaks = true;
    this.#since = seq;
    if (!reply || this.#first || reply.id === this.#paused || !this.#pacer.soundsFor(ownSoundMs, now)) return false;
    this.#paused = reply.id;
    this.#pacer.pause(now + this.#longestMs);
    return true;
  }

  /** Words were understood. Tells whether they interrupt the reply that plays. */
  get cuts(): boolean {
    return !this.#first;
  }

  /** The user ceased to speak at `seq`, and did not begin again since: a reply that pauses goes on. */
  end(seq: number, now: number): void {
    if (seq < this.#since) return;
    this.#speaks = false;
    this.#first = false;
    this.#pacer.resume(now);
  }
}
