import { describe, expect, it } from "vitest";
import {
  consequences,
  isOutcome,
  nextTurnState,
  turnTransitions,
  type Outcome,
  type TurnEvent,
  type TurnState,
} from "./turn-state.ts";

const states = Object.keys(turnTransitions) as TurnState[];
const events = [...new Set(Object.values(turnTransitions).flatMap((row) => Object.keys(row)))] as TurnEvent[];

/** The states that a turn can reach from a state. */
function reach(from: TurnState, seen = new Set<TurnState>()): Set<TurnState> {
  if (seen.has(from)) return seen;
  seen.add(from);
  for (const to of Object.values(turnTransitions[from])) reach(to, seen);
  return seen;
}

describe("turn state", () => {
  it("table: every turn can reach an outcome, and every state but the first ones is reached", () => {
    for (const state of states) expect([...reach(state)].some(isOutcome)).toBe(true);
    const reached = new Set((["tentative", "awaited", "queued"] as const).flatMap((state) => [...reach(state)]));
    expect([...reached].toSorted()).toEqual(states.toSorted());
  });

  it("outcomes: are final, and each has its consequences", () => {
    const outcomes = states.filter(isOutcome);
    expect(outcomes.toSorted()).toEqual(Object.keys(consequences).toSorted());
    for (const outcome of outcomes) for (const event of events) expect(nextTurnState(outcome, event)).toBe(outcome);
  });

  it("outcomes: the device is told of those that failed, and they raise the fence", () => {
    const told = (Object.keys(consequences) as Outcome[]).filter((outcome) => consequences[outcome].says);
    expect(told.map((outcome) => [outcome, consequences[outcome].says])).toEqual([
      ["deadline", "apology"],
      ["dry", "apology"],
      ["shed", "busy"],
    ]);
    for (const outcome of told) expect(consequences[outcome]).toMatchObject({ fences: true, reported: true });
  });
});
