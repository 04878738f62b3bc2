import { expect, test } from "vitest";
import { faults } from "./faults.ts";
import { runFaults } from "./run-faults.ts";

test("faults: if a program dies in mid-turn, every turn gets one answer or one apology", async () => {
  const chosen = faults.filter(({ quick }) => quick);
  const rows = await runFaults(chosen, { begin: () => undefined, row: () => undefined }, "short");
  expect(rows.map(({ name }) => name)).toEqual(chosen.map(({ name }) => name));
  expect(rows.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))).toEqual([]);
  for (const { turns, answered, apologized } of rows) expect(answered + apologized).toBe(turns);
}, 300_000);
