import { expect, it } from "vitest";
import { fuzz } from "./run.ts";

it("20,000 bad inputs: nothing crashes, hangs or grows, every refusal is counted, and a bystander is served", async () => {
  // The same inputs each time; `npm run test:fuzz` tries others.
  const { inputs, failures, bystander } = await fuzz({ seed: 1, inputs: 20_000 });
  expect(failures).toEqual([]);
  expect(inputs).toBeGreaterThanOrEqual(20_000);
  expect(bystander.turns.length).toBeGreaterThan(0);
  expect(bystander.pings.length).toBeGreaterThan(0);
}, 120_000);
