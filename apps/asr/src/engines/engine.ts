/** What was understood of one utterance. `text` is empty exactly when `reason` says why. */
export interface Transcript {
  readonly text: string;
  /** The language the engine recognised in, a BCP 47 tag. */
  readonly language: string;
  /** 0 to 1, where the engine knows it. */
  readonly confidence?: number;
  readonly reason?: "unrecognized";
}

/** What an utterance is opened with. */
export interface RecognitionRequest {
  /** The language the speaker is expected to use, a BCP 47 tag; an engine without it uses the one it has. */
  readonly language: string;
  /** Called with the text so far when it changed, by engines that know it while the speaker still speaks. */
  readonly onPartial?: (text: string) => void;
}

/** One utterance being recognised, until `finish` settles or the signal that it was opened with aborts. */
export interface Recognition {
  /** Takes more speech, 16 kHz mono, in order; copies it, never blocks, and is ignored after the end. */
  write(samples: Int16Array): void;
  /**
   * Ends the utterance and gives its transcript; called once. Speech that is nothing the engine knows is a transcript
   * with the reason `unrecognized`, not an error. Rejects with the signal's reason when it aborted, else with an error
   * of the engine; the engine and all its other utterances go on.
   */
  finish(): Promise<Transcript>;
}

/** A recogniser of speech. What happens to one utterance is never noticed by another. */
export interface AsrEngine {
  readonly name: string;
  /** How many utterances are worked on at once. */
  readonly slots: number;
  /**
   * Opens an utterance. While no slot is free it keeps what is written and catches up later, first come first served.
   * The signal forgets the utterance at any time. Throws when it has aborted already or too many wait.
   */
  open(request: RecognitionRequest, signal: AbortSignal): Recognition;
  /** Requests in work, and those that wait for a free worker; absent where others do the work. */
  use?(): { readonly busy: number; readonly waiting: number };
  /** Ends everything that is open with an error and releases threads and connections. */
  close(): Promise<void>;
}
