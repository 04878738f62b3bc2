import type { TurnView } from "../../src/live/live.ts";
import { turnSteps, type TurnStep } from "../shared/turn-steps.ts";

/** A step of a turn as a stretch of time. */
export interface Bar {
  readonly step: TurnStep;
  /** ms since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly isRunning: boolean;
}

/** A turn with its bars; none if no step of it is known. `startedAt` in ms since the epoch. */
export interface TurnBars {
  readonly turn: TurnView;
  readonly startedAt: number;
  readonly bars: readonly Bar[];
}

const minScaleMs = 3000;

function barsOf(turn: TurnView, now: number): readonly Bar[] {
  const { speech, heardAt, saidAt, voicedAt, soundAt, endedAt } = turn;
  const marks = [speech?.from, speech?.to, heardAt, saidAt, soundAt ?? voicedAt, endedAt];
  return turnSteps.flatMap((step, index) => {
    const from = marks[index];
    if (from === undefined) return [];
    const to = marks.slice(index + 1).find((mark) => mark !== undefined);
    // A turn that ended before the next step has no bar for the step it ended in.
    if (to !== undefined && marks[index + 1] === undefined && step !== "playback") return [];
    return [{ step, from, to: Math.max(from, to ?? now), isRunning: to === undefined }];
  });
}

/** Returns the turns that have begun, the newest first. The step that is running ends at `now`. */
export function layOutTurns(turns: readonly TurnView[], now: number): readonly TurnBars[] {
  return turns
    .flatMap((turn) => {
      const bars = barsOf(turn, now);
      const startedAt = bars[0]?.from ?? turn.heardAt ?? turn.saidAt;
      return startedAt === undefined ? [] : [{ turn, startedAt, bars }];
    })
    .toReversed();
}

/** Returns the width of the time line, ms: the longest turn fits. */
export function scaleOf(rows: readonly TurnBars[]): number {
  return Math.max(minScaleMs, ...rows.map(({ startedAt, bars }) => (bars.at(-1)?.to ?? startedAt) - startedAt));
}
