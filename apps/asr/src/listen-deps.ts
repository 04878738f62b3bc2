import type { Bus, Trace } from "@voxbus/bus";
import type { ListenMode, Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { AsrEngine } from "./engines/engine.ts";
import type { FrontEnds } from "./front-ends.ts";
import type { AsrMetrics } from "./metrics.ts";
import type { Pauses } from "./pauses.ts";

/** Dependencies of the work on a listen. */
export interface ListenDeps {
  readonly bus: Bus;
  readonly log: Log;
  readonly metrics: AsrMetrics;
  /** Gives the engines to ask for a profile, at least one, in order. */
  readonly enginesOf: (profile: Pick<Profile, "engines">) => readonly AsrEngine[];
  /** Threads with an audio front end for each listen. */
  readonly frontEnds: Pick<FrontEnds, "open" | "grow">;
  readonly profileOf: (
    device: string,
  ) => Pick<Profile, "engines" | "language" | "pauseMs" | "wholePauseMs" | "begunPauseMs">;
  readonly settings: ListenSettings;
  /** Aborted when the program begins to stop. A listen then goes on until the open utterances are stored. */
  readonly stopping: AbortSignal;
}

/** The configuration of a listen. */
export interface ListenSettings {
  /** The pause after which an utterance ends, if its profile and its engine do not say more (ms). */
  readonly endMs: number;
  /** The maximum length of an utterance (ms). */
  readonly maxMs: number;
  /** The longest time from the end of an utterance to its transcript, ms. */
  readonly transcriptMs: number;
  /** The time from a turn to its first sound, after which the turn is late, ms. */
  readonly deadlineMs: number;
  /** The time without a frame after which an utterance ends, ms: with an open microphone, and with a button. */
  readonly idleMs: { readonly open: number; readonly manual: number };
  /** True if traces may contain transcripts. */
  readonly traceContent: boolean;
}

/** One listen of a device. */
export interface Listen {
  readonly device: string;
  readonly session: string;
  /** The seq of its opening frame. */
  readonly seq: number;
  readonly mode: ListenMode;
  readonly pauses: Pauses;
  /** The trace context of the opening frame. */
  readonly sent: Trace;
  /** The trace context of the work on the listen. */
  readonly trace: Trace;
}
