import { turnOutcomes, type TurnOutcome } from "@voxbus/protocol";
import { createRollingCount } from "./rolling-percentiles.ts";
import type { TurnCounts } from "./turn-view.ts";

const rateMs = 60_000;
const countMs = 5 * 60_000;
const shedOutcome: string = "shed";

/** Counts turns as they are heard and as they end. */
export interface TurnCounting {
  heard(now: number): void;
  /** Counts a turn that ended. `late` packets of its sound came after a gap. */
  ended(now: number, outcome: TurnOutcome, late: number): void;
  /** The turns of the last minute. */
  rates(now: number): { readonly heard: number; readonly played: number; readonly failed: number };
  /** The turns that ended in the last five minutes. */
  counts(now: number): TurnCounts;
}

/** Creates counts of no turns yet. */
export function createTurnCounting(): TurnCounting {
  const createRate = () => createRollingCount(rateMs);
  const rates = { heard: createRate(), played: createRate(), failed: createRate() };
  const createCount = () => createRollingCount(countMs);
  const counts = { answered: createCount(), broken: createCount(), failed: createCount(), shed: createCount() };
  return {
    heard: (now) => rates.heard.add(now),
    ended(now, outcome, late) {
      const kind = turnOutcomes[outcome].class;
      if (kind === "answered") {
        rates.played.add(now);
        counts.answered.add(now);
        if (late > 0) counts.broken.add(now);
      } else if (kind === "fault") {
        rates.failed.add(now);
        counts[outcome === shedOutcome ? "shed" : "failed"].add(now);
      }
    },
    rates: (now) => ({
      heard: rates.heard.read(now),
      played: rates.played.read(now),
      failed: rates.failed.read(now),
    }),
    counts: (now) => ({
      answered: counts.answered.read(now),
      broken: counts.broken.read(now),
      failed: counts.failed.read(now),
      shed: counts.shed.read(now),
    }),
  };
}
