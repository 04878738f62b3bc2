import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createDeadlines } from "./deadlines.ts";

const changes = fc.array(
  fc.record({ job: fc.integer({ min: 0, max: 9 }), due: fc.constantFrom(-Infinity, 1, 2, 3, 4), takes: fc.nat(2) }),
  { maxLength: 60 },
);

test("deadlines: the earliest is first, equal ones keep their order, and a new deadline replaces the old one", () => {
  fc.assert(
    fc.property(changes, (list) => {
      const deadlines = createDeadlines<number>();
      let plain: { job: number; due: number }[] = [];
      for (const { job, due, takes } of list) {
        deadlines.add(job, due);
        plain = [...plain.filter((one) => one.job !== job), { job, due }].sort((a, b) =>
          a.due < b.due ? -1 : a.due > b.due ? 1 : 0,
        );
        expect(deadlines.first).toBe(plain[0]!.due);
        for (let i = 0; i < takes; i += 1) expect(deadlines.take()).toBe(plain.shift()?.job);
      }
      while (plain.length > 0) expect(deadlines.take()).toBe(plain.shift()!.job);
      expect(deadlines.first).toBeUndefined();
    }),
  );
});
