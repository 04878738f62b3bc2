import type { DropReason, OutAudio, OutTextFrame } from "@voxbus/protocol";
import type { Clock } from "./clock.ts";
import type { Downlink } from "./downlink.ts";
import type { Fence } from "./fence.ts";

/** Live audio, such as an intercom's, goes on through pauses shorter than this, ms. */
const pauseMs = 1000;

/** Dependencies of live frames. */
export interface LiveFramesDeps {
  readonly downlink: Pick<Downlink, "writable" | "writeAudio" | "writeText">;
  readonly clock: Pick<Clock, "now">;
  readonly drops: Record<DropReason, number>;
}

/** Passes on one session's frames that belong to no numbered reply: live audio, a face, a subtitle. */
export class LiveFrames {
  readonly #deps: LiveFramesDeps;
  readonly #fence: Pick<Fence, "admits">;
  /** When the audio that was sent will have been played, ms. */
  #until = -Infinity;

  constructor(deps: LiveFramesDeps, fence: Pick<Fence, "admits">) {
    this.#deps = deps;
    this.#fence = fence;
  }

  /** True while live audio goes on. */
  get playing(): boolean {
    return this.#deps.clock.now() < this.#until + pauseMs;
  }

  /** Writes a frame. Drops it if it is fenced, and audio that the device does not take in. */
  pass(frame: OutAudio | OutTextFrame): void {
    if (frame.origin !== undefined && !this.#fence.admits(frame.origin)) return;
    const { downlink, clock, drops } = this.#deps;
    if (frame.kind === "text") return downlink.writeText(frame.body);
    if (!downlink.writable()) {
      drops.slow += 1;
      return;
    }
    this.#until = Math.max(this.#until, clock.now()) + frame.duration;
    downlink.writeAudio(frame.body);
  }
}
