import type { Clock } from "./clock.ts";
import type { Downlink } from "./downlink.ts";
import type { Pacer } from "./pacer.ts";

/** Dependencies of a speaking state. */
export interface SpeakingDeps {
  readonly downlink: Pick<Downlink, "writeText">;
  readonly clock: Pick<Clock, "now">;
}

/** Tells one device when to speak: from `tts` `start` to `tts` `stop`. */
export class Speaking {
  readonly #deps: SpeakingDeps;
  readonly #pacer: Pick<Pacer, "beginSpeaking">;
  #on = false;

  constructor(deps: SpeakingDeps, pacer: Pick<Pacer, "beginSpeaking">) {
    this.#deps = deps;
    this.#pacer = pacer;
  }

  /** True from `tts` `start` to `tts` `stop`. */
  get on(): boolean {
    return this.#on;
  }

  /** Begins what the device says, if it is silent. */
  begin(): void {
    if (this.#on) return;
    this.#deps.downlink.writeText({ type: "tts", state: "start" });
    this.#on = true;
    this.#pacer.beginSpeaking(this.#deps.clock.now());
  }

  /** Ends what the device says, if it speaks. */
  hush(): void {
    if (!this.#on) return;
    this.#on = false;
    this.#deps.downlink.writeText({ type: "tts", state: "stop" });
  }

  /** The session has ended: nothing more is written. */
  close(): void {
    this.#on = false;
  }
}
