import * as fc from "fast-check";
import { expect, test } from "vitest";
import { calm, follow, severityOf, type Limits, type Severity, type Track, type Transition } from "./hysteresis.ts";

const limits: Limits = {
  levels: [
    [150, "high"],
    [100, "medium"],
  ],
  clear: 90,
  raiseAfter: 2,
  clearAfter: 2,
};
const rank: Readonly<Record<Severity, number>> = { low: 0, medium: 1, high: 2 };

function run(values: readonly (number | undefined)[], of: Limits = limits) {
  let track: Track = calm;
  const moves: (Transition | undefined)[] = [];
  for (const value of values) {
    const next = follow(of, track, value);
    track = next.track;
    moves.push(next.transition);
  }
  return { track, moves, made: moves.flatMap((move) => (move ? [move] : [])) };
}

const anyLimits: fc.Arbitrary<Limits> = fc
  .record({
    clear: fc.integer({ min: 1, max: 50 }),
    gap: fc.integer({ min: 0, max: 30 }),
    step: fc.integer({ min: 1, max: 30 }),
    raiseAfter: fc.integer({ min: 1, max: 3 }),
    clearAfter: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ clear, gap, step, raiseAfter, clearAfter }) => ({
    levels: [
      [clear + gap + step, "high"],
      [clear + gap, "medium"],
    ],
    clear,
    raiseAfter,
    clearAfter,
  }));
const anyValues = fc.array(fc.option(fc.integer({ min: 0, max: 130 }), { nil: undefined }), { maxLength: 60 });

test("hysteresis: an alert is raised once, and can only get worse, until it is resolved", () => {
  fc.assert(
    fc.property(anyLimits, anyValues, (limits, values) => {
      let raised: Severity | undefined;
      for (const move of run(values, limits).made) {
        if (move.type === "resolve") {
          expect(raised).toBeDefined();
          raised = undefined;
        } else {
          if (move.type === "raise") expect(raised).toBeUndefined();
          else expect(rank[move.severity]).toBeGreaterThan(rank[raised!]);
          raised = move.severity;
        }
      }
    }),
  );
});

test("hysteresis: raising takes the set number of bad values in a row, resolving that of good ones", () => {
  fc.assert(
    fc.property(anyLimits, anyValues, (limits, values) => {
      const known: number[] = [];
      for (const [index, move] of run(values, limits).moves.entries()) {
        const value = values[index];
        if (value !== undefined) known.push(value);
        if (move === undefined) continue;
        const resolves = move.type === "resolve";
        const last = known.slice(-(resolves ? limits.clearAfter : limits.raiseAfter));
        expect(last).toHaveLength(resolves ? limits.clearAfter : limits.raiseAfter);
        for (const value of last) {
          if (resolves) expect(value).toBeLessThan(limits.clear);
          else expect(severityOf(limits, value)).toBeDefined();
        }
      }
    }),
  );
});

test("hysteresis: values between good and bad, and unknown values, change nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 90, max: 99 })), fc.boolean(), (values, open) => {
      const before = open ? [120, 120] : [];
      expect(run([...before, ...values]).made).toHaveLength(open ? 1 : 0);
      expect(run([...before, ...values.map(() => undefined)]).track).toEqual(run(before).track);
    }),
  );
});

test("hysteresis: an alert is raised, gets worse, and is resolved", () => {
  const { made } = run([100, 100, 100, 150, 120, 150, 150, 100, 89, 95, 89, 89, 50]);
  expect(made).toEqual([
    { type: "raise", severity: "medium" },
    { type: "worsen", severity: "high" },
    { type: "resolve" },
  ]);
});

test("hysteresis: a monitor that takes over continues from the state of the one before", () => {
  const taken: Track = { ...calm, raised: "medium" };
  expect(follow(limits, taken, 120).transition).toBeUndefined();
  const once = follow(limits, taken, 10);
  expect(once.transition).toBeUndefined();
  expect(follow(limits, once.track, 10).transition).toEqual({ type: "resolve" });
});
