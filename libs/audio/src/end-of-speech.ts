/** The state of an utterance after one more frame. */
export type SpeechState =
  /** No utterance is open. */
  | { readonly state: "silence" }
  /** An utterance begins. Its first frame was `frames` frames ago, this one included. */
  | { readonly state: "onset"; readonly frames: number }
  /** The utterance goes on. It may be in a pause: its last voiced frame was `trailing` frames ago. */
  | { readonly state: "speech"; readonly trailing: number }
  /** The utterance ended, by silence or at its maximum length. Its last voiced frame was `trailing` frames ago. */
  | { readonly state: "end"; readonly reason: "silence" | "length"; readonly trailing: number };

/** Finds the onset and the end of utterances in a sequence of voiced and unvoiced frames. */
export interface EndOfSpeechDetector {
  /** Takes the next frame. Onset, speech and end come in this order, then silence or the next onset. */
  write(voiced: boolean): SpeechState;
  /** True between the onset and the end of an utterance. */
  readonly speaking: boolean;
  /** Changes the silence that ends the open utterance, until voice is heard again (ms). */
  endAfter(endMs: number): void;
  /** Discards the open utterance. */
  reset(): void;
}

/**
 * Creates a detector. All times are in ms. An utterance begins when voice outweighs silence by `startMs`, ends after
 * `endMs` of silence, and is cut at `maxMs`. Time is the number of frames; there is no clock.
 */
export function createEndOfSpeechDetector(options?: {
  readonly startMs?: number;
  readonly endMs?: number;
  readonly maxMs?: number;
  readonly frameMs?: number;
}): EndOfSpeechDetector {
  const { startMs = 90, endMs = 600, maxMs = 30_000, frameMs = 20 } = options ?? {};
  let speaking = false;
  let weight = 0;
  let frames = 0;
  let trailing = 0;
  let pauseMs = endMs;

  function reset() {
    speaking = false;
    weight = 0;
    frames = 0;
    trailing = 0;
    pauseMs = endMs;
  }

  function waitForOnset(voiced: boolean): SpeechState {
    weight = Math.max(0, weight + (voiced ? frameMs : -frameMs));
    frames = weight === 0 ? 0 : frames + 1;
    if (weight < startMs) return { state: "silence" };
    speaking = true;
    trailing = 0;
    return { state: "onset", frames };
  }

  function waitForEnd(voiced: boolean): SpeechState {
    frames += 1;
    trailing = voiced ? 0 : trailing + 1;
    if (voiced) pauseMs = endMs;
    const reason = trailing * frameMs >= pauseMs ? "silence" : frames * frameMs >= maxMs ? "length" : undefined;
    if (!reason) return { state: "speech", trailing };
    const end: SpeechState = { state: "end", reason, trailing };
    reset();
    return end;
  }

  return {
    write: (voiced) => (speaking ? waitForEnd(voiced) : waitForOnset(voiced)),
    get speaking() {
      return speaking;
    },
    endAfter(ms) {
      pauseMs = ms;
    },
    reset,
  };
}
