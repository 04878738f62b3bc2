import type { PoolRecorder } from "@voxbus/pools";

/** The transcript of one utterance. `text` is empty if and only if there is a `reason`. */
export interface Transcript {
  readonly text: string;
  /** The language of the recognizer, a BCP 47 tag. */
  readonly language: string;
  /** 0 to 1, if the engine has it. */
  readonly confidence?: number;
  /** `unrecognized`: there was speech, but not in the words that the engine knows. `nothing-heard`: no words. */
  readonly reason?: "nothing-heard" | "unrecognized";
}

/** Words before a pause. `whole`: a complete sentence, also if it may go on. `begun`: only the beginning of one. */
export type Completion = "whole" | "begun" | "unknown";

/** The settings of one recognition. */
export interface RecognitionRequest {
  /** The expected language of the speaker, a BCP 47 tag. An engine that does not know it uses its own. */
  readonly language: string;
  /** The speaker's device. Engines are fair between devices. */
  readonly device?: string;
  /** Called with the text so far whenever it changes, by engines that have partial transcripts. */
  readonly onPartial?: (text: string) => void;
}

/** One utterance being recognized. It ends when `finish` settles or its signal aborts. */
export interface Recognition {
  /** Takes more speech, 16 kHz mono, in order. The samples must not change afterwards. Never blocks. Ignored after the end. */
  write(samples: Int16Array): void;
  /**
   * Judges the words so far, in a pause of the speaker, by engines that know all sentences. The transcript may differ.
   * Never rejects.
   */
  judgePause?(): Promise<Completion>;
  /**
   * Ends the utterance and resolves with its transcript. Called once. An utterance that the engine does not understand
   * gives a transcript with a reason, not an error. Rejects with the signal's reason if it aborted, otherwise
   * with an error of the engine. The engine and its other utterances are not affected.
   */
  finish(): Promise<Transcript>;
}

/** A recognizer. Its utterances do not affect each other. Every engine passes the suite in engine.suite.ts. */
export interface AsrEngine {
  readonly name: string;
  /** The statistics of its pool. */
  readonly recorder: PoolRecorder;
  /** The number of further utterances that it takes, before it refuses one. */
  room(): number;
  /** Estimates how long (ms) an utterance that ends now would wait for its recognition. */
  waitMs(): number;
  /**
   * Opens an utterance. While no slot is free, its speech is kept and recognized later. The signal discards the utterance at
   * any time. Throws if it has aborted already. If too many utterances wait, this or `finish` fails.
   */
  open(request: RecognitionRequest, signal: AbortSignal): Recognition;
  /** Ends every open utterance with an error, and releases threads and connections. */
  close(): Promise<void>;
}
