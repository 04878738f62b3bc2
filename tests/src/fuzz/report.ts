import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** An input that caused a failure, in hex. */
export interface Finding {
  readonly target: string;
  readonly index: number;
  readonly what: string;
  readonly input: string;
}

/** The number of inputs by target and outcome. */
export type Outcomes = Record<string, Record<string, number>>;

const directory = fileURLToPath(new URL("../../../.data/fuzz/", import.meta.url));

/** Writes a finding's input to a file and returns a line about it. */
export function saveFinding(seed: number, { target, index, what, input }: Finding): string {
  mkdirSync(directory, { recursive: true });
  const file = `${directory}${target.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${seed}-${index}.hex`;
  writeFileSync(file, `${input}\n`);
  const shown = input.length > 400 ? `${input.slice(0, 400)}… (${input.length / 2} bytes)` : input;
  return `${target}, input ${index} of seed ${seed}: ${what}\n  ${shown}\n  kept in ${file}`;
}

/** Counts an outcome. */
export function countOutcome(outcomes: Outcomes, target: string, outcome: string, times = 1): void {
  const counts = (outcomes[target] ??= {});
  counts[outcome] = (counts[outcome] ?? 0) + times;
}
