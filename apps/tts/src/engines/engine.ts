import type { LateNotice, PoolRecorder } from "@voxbus/pools";
import type { Priority } from "@voxbus/protocol";

/** The place of a text among others. */
export interface SpeechTurn {
  readonly device: string;
  readonly priority: Priority;
  /** True if an earlier text of its turn was spoken: the others wait. */
  readonly isLater: boolean;
  /** The person who waits for the first sound of the turn. Absent once it sounds. */
  readonly late?: LateNotice | undefined;
}

/** A text and how to speak it. An engine uses its default voice in place of an unknown one. */
export interface SpeechRequest {
  readonly text: string;
  readonly voice?: string | undefined;
  /** A BCP 47 tag. */
  readonly language?: string | undefined;
  /** 0.5 to 2 (1). Ignored by engines that cannot change it. */
  readonly speed?: number | undefined;
  /** When its first sound is due (`readClock`, ms). Without it, at once. */
  readonly due?: number | undefined;
  /** Without it the text is new, and a person waits for it. */
  readonly turn?: SpeechTurn | undefined;
}

/** A piece of mono sound. All pieces of one synthesis have the same sample rate (Hz). */
export interface Sound {
  readonly sampleRate: number;
  readonly samples: Int16Array<ArrayBuffer>;
}

/** A piece of sound that is encoded already: Opus packets, mono, 60 ms each, of at most 1,400 bytes. */
export interface OpusSound {
  readonly packets: readonly Uint8Array<ArrayBuffer>[];
}

/**
 * The sound that an engine makes. Packets reach devices as they are. Samples are encoded; a run of them that ends before packets is
 * filled up with silence to a whole packet.
 */
export type Speech = Sound | OpusSound;

/** The reason why a synthesis failed. Stable, for counters. */
export type TtsProblem = "unavailable" | "refused" | "time-out" | "bad-audio" | "failed";

/** The error of an engine. It throws no other, except the reason of an aborted signal. */
export class TtsError extends Error {
  override readonly name = "TtsError";
  readonly code: TtsProblem;
  constructor(code: TtsProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A synthesizer. Every engine passes the suite in engine.suite.ts. The suite's flags declare where engines may differ. */
export interface TtsEngine {
  readonly name: string;
  /** True if the same request gives the same samples in every process. */
  readonly repeatable: boolean;
  /** The maximum number of characters in a request. The caller splits longer text, so that the first sound comes soon. */
  readonly longestText: number;
  /** True if the engine can speak all of this text in its language. Cheap, never throws. */
  speaks(request: SpeechRequest): boolean;
  /**
   * Speaks one text without blocking the event loop. Text without a word may give no sound. Throws TtsError, or the
   * signal's reason within 100 ms of its abort. Leaving the loop early frees all resources. Several requests run at the
   * same time; further ones wait.
   */
  synthesize(request: SpeechRequest, signal: AbortSignal): AsyncIterable<Speech>;
  /** The statistics of its pool, for engines in a pool or with workers of their own. */
  readonly recorder?: PoolRecorder;
  /** Ends every synthesis and frees all resources. Later syntheses throw. */
  close(): Promise<void>;
}

/** An engine that makes samples only. */
export interface PcmEngine extends TtsEngine {
  synthesize(request: SpeechRequest, signal: AbortSignal): AsyncIterable<Sound>;
}
