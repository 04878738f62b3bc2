import { expect, test } from "vitest";
import { faults } from "./faults.ts";
import { runFaults } from "./run-faults.ts";

test("faults: whoever dies in mid-turn, every turn is answered or apologised for, once", async () => {
  const chosen = faults.filter(({ quick }) => quick);
  const rows = await runFaults(chosen, { begin: () => undefined, row: () => undefined }, "short");
  expect(rows.map(({ name }) => name)).toEqual(chosen.map(({ name }) => name));
  expect(rows.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))).toEqual([]);
  for (const { turns, answered, apologised } of rows) expect(answered + apologised).toBe(turns);
}, 300_000);
