import { expect, test } from "vitest";
import { kinds } from "./cases.ts";
import { runCases } from "./run-cases.ts";
import { listMissing } from "./table.ts";

test("field: odd devices, models, servers and hosts are served", async () => {
  const chosen = kinds.map(({ title, cases }) => ({ title, cases: cases.filter(({ quick }) => quick) }));
  const rows = await runCases(chosen, { begin: () => undefined, row: () => undefined });
  expect(rows.length).toBeGreaterThan(0);
  expect(rows.filter(({ held }) => !held)).toEqual([]);
}, 120_000);

test("field: no two cases have the same oddity, and docs/compatibility.md has each (npm run test:field -- --write)", () => {
  const names = kinds.flatMap(({ cases }) => cases.map(({ odd }) => odd));
  expect(new Set(names).size).toBe(names.length);
  expect(listMissing(kinds)).toEqual([]);
});
