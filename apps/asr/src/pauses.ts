import type { Profile } from "@voxbus/protocol";
import type { Completion } from "./engines/engine.ts";

/** The pauses of a listen (ms): how long a silence ends an utterance, by what was heard before it. */
export interface Pauses {
  /** For engines that cannot tell. */
  readonly end: number;
  /** Time in a pause at which the engine is asked. */
  readonly ask: number;
  readonly of: (completion: Completion) => number;
}

// An engine needs this time to judge a pause before it ends.
const judgeMs = 100;

/** Reads the pauses of a profile. `endMs` is the program's own pause. */
export function readPauses(
  { pauseMs, wholePauseMs, begunPauseMs }: Pick<Profile, "pauseMs" | "wholePauseMs" | "begunPauseMs">,
  endMs: number,
): Pauses {
  const end = pauseMs ?? endMs;
  const byCompletion = { whole: wholePauseMs, begun: begunPauseMs, unknown: end };
  return { end, ask: Math.min(wholePauseMs, end - judgeMs), of: (completion) => byCompletion[completion] };
}
