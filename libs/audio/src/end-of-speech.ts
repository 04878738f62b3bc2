/** What one frame meant for the utterance. */
export type Endpoint =
  /** Nobody speaks. */
  | { readonly state: "silence" }
  /** An utterance begins; it began `frames` frames ago, this one included. */
  | { readonly state: "onset"; readonly frames: number }
  /** The utterance goes on, perhaps in a pause. */
  | { readonly state: "speech" }
  /** The utterance ended, by silence or at its greatest length; its last voiced frame was `trailing` frames ago. */
  | { readonly state: "end"; readonly reason: "silence" | "length"; readonly trailing: number };

/** Finds utterances in a row of voiced and unvoiced frames. */
export interface Endpointer {
  /** Takes the next frame. Onset, speech and end come in this order, and then silence or the next onset. */
  write(voiced: boolean): Endpoint;
  /** Whether an utterance is open: between onset and end. */
  readonly speaking: boolean;
  /** Discards the utterance in progress. */
  reset(): void;
}

/**
 * An endpointer with all times in milliseconds: an utterance begins when voice outweighs silence by `startMs`, ends after
 * `endMs` of silence, and is cut at `maxMs`. It knows no clock: time is the number of frames.
 */
export function createEndpointer(options?: {
  readonly startMs?: number;
  readonly endMs?: number;
  readonly maxMs?: number;
  readonly frameMs?: number;
}): Endpointer {
  const { startMs = 90, endMs = 600, maxMs = 30_000, frameMs = 20 } = options ?? {};
  let speaking = false;
  let weight = 0;
  let frames = 0;
  let trailing = 0;

  const reset = () => {
    speaking = false;
    weight = 0;
    frames = 0;
    trailing = 0;
  };

  const waitForOnset = (voiced: boolean): Endpoint => {
    weight = Math.max(0, weight + (voiced ? frameMs : -frameMs));
    frames = weight === 0 ? 0 : frames + 1;
    if (weight < startMs) return { state: "silence" };
    speaking = true;
    trailing = 0;
    return { state: "onset", frames };
  };

  const waitForEnd = (voiced: boolean): Endpoint => {
    frames += 1;
    trailing = voiced ? 0 : trailing + 1;
    const reason = trailing * frameMs >= endMs ? "silence" : frames * frameMs >= maxMs ? "length" : undefined;
    if (!reason) return { state: "speech" };
    const end: Endpoint = { state: "end", reason, trailing };
    reset();
    return end;
  };

  return {
    write: (voiced) => (speaking ? waitForEnd(voiced) : waitForOnset(voiced)),
    get speaking() {
      return speaking;
    },
    reset,
  };
}
