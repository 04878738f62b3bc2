import type { TurnOutcome } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { createTurnCounting } from "./turn-counts.ts";

test("turn counts: are by outcome, without turns that the user cut or that had nothing to answer", () => {
  const counting = createTurnCounting();
  const end = (outcome: string, late = 0) => counting.ended(1000, outcome as TurnOutcome, late);
  for (const outcome of ["played", "failed", "deadline", "dry", "fenced", "superseded", "nothing-heard"]) end(outcome);
  end("played", 3);
  expect(counting.counts(1000)).toEqual({ answered: 2, broken: 1, failed: 3, shed: 0 });
  expect(counting.rates(1000)).toEqual({ heard: 0, played: 2, failed: 3 });
  expect(counting.rates(70_000)).toEqual({ heard: 0, played: 0, failed: 0 });
  expect(counting.counts(70_000)).toMatchObject({ answered: 2 });
  expect(counting.counts(400_000)).toEqual({ answered: 0, broken: 0, failed: 0, shed: 0 });
});
