import { expect, it } from "vitest";
import { attacks } from "./attacks.ts";
import { plans, runAttacks } from "./run-attacks.ts";

it("attacks: bystanders are served as before, and nothing of an attack remains", async () => {
  const chosen = attacks.filter(({ quick }) => quick);
  const rows = await runAttacks(chosen, plans.short, { begin: () => undefined, row: () => undefined });
  expect(rows.map(({ name }) => name)).toEqual(chosen.map(({ name }) => name));
  expect(rows.flatMap(({ name, failures }) => failures.map((failure) => `${name}: ${failure}`))).toEqual([]);
}, 120_000);

it("attacks: no two have the same name or title", () => {
  expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
  expect(new Set(attacks.map(({ title }) => title)).size).toBe(attacks.length);
});
