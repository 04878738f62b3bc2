import type { Percentiles, TurnCounts } from "../turns/turn-view.ts";
import type { Score } from "./load-view.ts";

/**
 * Scores how well turns were served, 0 to 100: the product of three shares. Undefined without a turn. `targetMs` is what 5 %
 * of the first sounds may exceed.
 */
export function scoreTurns(counts: TurnCounts, sound: Percentiles | undefined, targetMs: number): Score | undefined {
  const { answered, broken, failed, shed } = counts;
  const turns = answered + failed + shed;
  if (turns === 0) return undefined;
  const shares = {
    answered: answered / turns,
    smooth: answered === 0 ? 1 : (answered - broken) / answered,
    prompt: sound === undefined ? 1 : Math.min(1, targetMs / Math.max(1, sound.p95)),
  };
  const value = Math.round(100 * shares.answered * shares.smooth * shares.prompt);
  return { value, ...shares, turns, failed, shed };
}
