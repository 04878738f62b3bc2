import { expect, it } from "vitest";
import { fuzz } from "./run.ts";

it("20,000 inputs: nothing crashes, hangs or grows, all refusals are counted, a bystander is served", async () => {
  // Another one each day, so that not the same inputs are tried for ever; it is named where something fails.
  const seed = Math.floor(Date.now() / 86_400_000);
  const { inputs, failures, bystander } = await fuzz({ seed, inputs: 20_000 });
  expect(failures, `seed ${seed}`).toEqual([]);
  expect(inputs).toBeGreaterThanOrEqual(20_000);
  expect(bystander.turns.length).toBeGreaterThan(0);
  expect(bystander.pings.length).toBeGreaterThan(0);
}, 120_000);
