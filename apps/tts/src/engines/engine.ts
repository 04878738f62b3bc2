/** What is to be spoken. A voice that the engine does not have gives way to its default. `speed` is 1 by default. */
export interface SpeechRequest {
  readonly text: string;
  readonly voice?: string | undefined;
  /** BCP 47. */
  readonly language?: string | undefined;
  /** 0.5 to 2, where the engine can. */
  readonly speed?: number | undefined;
}

/** A piece of mono sound; all pieces of one synthesis have the same rate, in Hz. */
export interface Sound {
  readonly sampleRate: number;
  readonly samples: Int16Array<ArrayBuffer>;
}

/** Why a synthesis failed; stable, for counters. */
export type TtsProblem = "unavailable" | "refused" | "time-out" | "bad-audio" | "failed";

/** What an engine throws, beside the reason of an aborted signal. */
export class TtsError extends Error {
  override readonly name = "TtsError";
  readonly code: TtsProblem;
  constructor(code: TtsProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Turns text into sound. Every implementation passes the suite in engine.suite.ts; what differs is declared there. */
export interface TtsEngine {
  readonly name: string;
  /** The same request makes the same samples again, in every process. */
  readonly repeatable: boolean;
  /** Characters that are best spoken in one go; longer text is cut for it, so that the first sound comes soon. */
  readonly longestText: number;
  /** Whether all of this text would be heard, in its language. Cheap, never throws. */
  speaks(request: SpeechRequest): boolean;
  /**
   * Speaks one sentence; nothing blocks the event loop for it. Text without a word may give no sound at all. Throws
   * TtsError, or the signal's reason within 100 ms of its abort; leaving the loop early frees what it used.
   * Several run at once; those beyond the engine's capacity wait.
   */
  synthesize(request: SpeechRequest, signal: AbortSignal): AsyncIterable<Sound>;
  /** Requests in work, and those that wait for a free worker; absent where others do the work. */
  use?(): { readonly busy: number; readonly waiting: number };
  /** Ends what runs and frees everything; later syntheses throw. */
  close(): Promise<void>;
}
