/** What was understood of one utterance. `text` is empty exactly when `reason` says why. */
export interface Transcript {
  readonly text: string;
  /** The language the engine recognised in, a BCP 47 tag. */
  readonly language: string;
  /** 0 to 1, where the engine knows it. */
  readonly confidence?: number;
  readonly reason?: "unrecognised";
}

/** What an utterance is opened with. */
export interface RecognitionRequest {
  /** The language the speaker is expected to use, a BCP 47 tag; an engine without it uses its nearest. */
  readonly language: string;
  /** Called with the text so far whenever it changed, never after `finish` was called; optional for an engine. */
  readonly onPartial?: (text: string) => void;
}

/**
 * One utterance being recognised. It occupies one of the engine's slots until `finish` settles or the signal that it
 * was opened with aborts.
 */
export interface Recognition {
  /** Takes more speech, 16 kHz mono, in order; never blocks. The samples are copied. Ignored after the end. */
  write(samples: Int16Array): void;
  /**
   * Ends the utterance and gives its transcript; called once. Speech that is nothing the engine knows is a transcript
   * with the reason `unrecognised`, not an error. Rejects with the signal's reason if it aborted, else with an error
   * that names the engine: the same audio may be tried again with a new recognition.
   */
  finish(): Promise<Transcript>;
}

/** A recogniser of speech. What one recognition does, also failing, is never noticed by another. */
export interface AsrEngine {
  readonly name: string;
  /** How many utterances may be open at once. */
  readonly slots: number;
  /**
   * Waits for a free slot, first come first served, and opens an utterance on it. The signal ends the wait or, later,
   * the utterance: its slot is free again at once and whatever was recognised is forgotten.
   */
  open(request: RecognitionRequest, signal: AbortSignal): Promise<Recognition>;
  /** Rejects what is open or waiting and releases threads and connections. */
  close(): Promise<void>;
}
