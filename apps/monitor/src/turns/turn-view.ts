import type { TurnOutcome } from "@voxbus/protocol";

/**
 * A turn or an announcement as far as it has come. A later view of the same `id` replaces it. Times are ms since the epoch.
 */
export interface TurnView {
  readonly id: string;
  readonly session: string;
  /** Absent for an announcement. */
  readonly origin?: number | undefined;
  /** Arrival of the first and the last voiced frame; known only while the device is watched. */
  readonly speech?: { readonly from: number; readonly to: number } | undefined;
  /** Arrival of the final transcript, or of the typed text. */
  readonly heardAt?: number | undefined;
  /** Arrival of the answer's first sentence. */
  readonly saidAt?: number | undefined;
  /** Arrival of the first audio packet; known only while the device is watched. */
  readonly voicedAt?: number | undefined;
  /** Time at which the gateway wrote the first sound to the socket. */
  readonly soundAt?: number | undefined;
  readonly endedAt?: number | undefined;
  /** Absent while the turn goes on. */
  readonly outcome?: TurnOutcome | undefined;
  readonly sentences: number;
  readonly fenced: number;
  readonly dropped: number;
  readonly late: number;
  readonly heard?: string | undefined;
  readonly said?: readonly string[] | undefined;
  readonly trace?: string | undefined;
  /** The names of the engines that heard, answered and spoke. */
  readonly engines?: Readonly<Partial<Record<"asr" | "llm" | "tts", string>>> | undefined;
}

/** The last turn of a device, for its row in the table. */
export interface LastTurn {
  readonly at: number;
  readonly outcome: TurnOutcome;
  /** From the final transcript to the answer's first sentence [ms]. */
  readonly thought?: number | undefined;
  /** From the final transcript to the first sound on the socket [ms]. */
  readonly sound?: number | undefined;
}

/** Percentiles of a duration over the last five minutes [ms]. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly count: number;
}

/** Latencies of turns: from the final transcript to the first sentence, and to the first sound on the socket. */
export interface Latencies {
  readonly thought?: Percentiles | undefined;
  readonly sound?: Percentiles | undefined;
}

/** Turns that ended in the last five minutes. */
export interface TurnCounts {
  readonly answered: number;
  /** Those of them whose sound had a gap. */
  readonly broken: number;
  readonly failed: number;
  readonly shed: number;
}
