/** One exchange of a person and a device. `heard` is empty if nothing was understood, or if an announcement came during the replay. */
export interface Exchange {
  readonly heard: string;
  readonly said: readonly string[];
}

/** A message of the server to the device, as far as a witness cares. */
export interface WitnessedMessage {
  readonly type?: unknown;
  readonly state?: unknown;
  readonly text?: unknown;
}

/** The most exchanges that one device's replay is compared in. */
export const maxExchanges = 10_000;

/** Notes what a system tells a replayed device: what it has heard, what it says, and where in a reply it is. */
export class Witness {
  /** Replies whose first sentence has begun, and replies that have ended. */
  began = 0;
  ended = 0;
  /** True from `tts` `start` to `tts` `stop`. */
  speaking = false;
  readonly #exchanges: { heard: string; said: string[]; isAnswered: boolean }[] = [];
  #hasBegun = false;
  readonly #waiting = new Set<() => void>();

  get exchanges(): readonly Exchange[] {
    return this.#exchanges;
  }

  take({ type, state, text }: WitnessedMessage): void {
    if (type === "stt") this.#add(typeof text === "string" ? text : "");
    else if (type !== "tts") return;
    else if (state === "start") this.speaking = true;
    else if (state === "sentence_start") this.#speak(typeof text === "string" ? text : "");
    else if (state === "stop") this.#stop();
    for (const wake of this.#waiting) wake();
  }

  /** Ends what was being said, as the end of a connection does. */
  close(): void {
    if (this.speaking) this.#stop();
    for (const wake of this.#waiting) wake();
  }

  /** Resolves with true as soon as `fits`, or with false after `patienceMs`. Throws the reason of `signal`. */
  async until(fits: () => boolean, patienceMs: number, signal: AbortSignal): Promise<boolean> {
    if (fits()) return true;
    signal.throwIfAborted();
    let wake = (): void => undefined;
    let abort = (): void => undefined;
    let timer: NodeJS.Timeout | undefined;
    const waiting = new Promise<boolean>((resolve, reject) => {
      wake = () => fits() && resolve(true);
      abort = () => reject(signal.reason as Error);
      timer = setTimeout(() => resolve(false), patienceMs);
      this.#waiting.add(wake);
      signal.addEventListener("abort", abort);
    });
    try {
      return await waiting;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(wake);
      signal.removeEventListener("abort", abort);
    }
  }

  #speak(text: string): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.began += 1;
      // The reply belongs to the newest transcript that has none yet. Otherwise it is an announcement or an apology.
      const last = this.#exchanges.at(-1);
      if (last === undefined || last.isAnswered) this.#add("");
      const answered = this.#exchanges.at(-1);
      if (answered) answered.isAnswered = true;
    }
    if (text !== "") this.#exchanges.at(-1)?.said.push(text);
  }

  #stop(): void {
    this.speaking = false;
    if (this.#hasBegun) this.ended += 1;
    this.#hasBegun = false;
  }

  #add(heard: string): void {
    if (this.#exchanges.length < maxExchanges) this.#exchanges.push({ heard, said: [], isAnswered: false });
  }
}
