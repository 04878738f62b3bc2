import { fuzzParsers } from "./fuzz-parsers.ts";
import { fuzzSystem, type SystemReport } from "./fuzz-system.ts";
import { saveFinding, type Outcomes } from "./report.ts";

/** The results of a run. */
export interface FuzzReport {
  readonly inputs: number;
  readonly outcomes: Outcomes;
  /** One line per failure. */
  readonly failures: readonly string[];
  readonly warmUp: SystemReport["warmUp"];
  readonly rest: SystemReport["rest"];
  readonly bystander: SystemReport["bystander"];
  readonly slowestMs: number;
}

/** The largest growth of the parser process, bytes. */
const parserGrowth = 32 * 1_048_576;

/**
 * Sends `inputs` bad inputs: most to the parsers alone, the rest to a whole system beside a well-behaved device. The same seed
 * makes the same inputs.
 */
export async function fuzz(options: {
  readonly seed: number;
  readonly inputs: number;
  readonly tell?: (line: string) => void;
}): Promise<FuzzReport> {
  const { seed, inputs, tell = () => undefined } = options;
  const shares = { messages: Math.floor(inputs * 0.12), raw: Math.floor(inputs * 0.03), bus: Math.floor(inputs * 0.1) };
  tell("parsers");
  const parsers = await fuzzParsers(seed, inputs - shares.messages - shares.raw - shares.bus);
  const system = await fuzzSystem(seed, shares, tell);
  const outcomes = { ...parsers.outcomes, ...system.outcomes };
  const failures = [...parsers.findings, ...system.findings].map((finding) => saveFinding(seed, finding));
  if (parsers.growth > parserGrowth)
    failures.push(`the parsers grew by ${Math.round(parsers.growth / 1_048_576)} MB after their first quarter`);
  failures.push(...system.problems);
  const sent = Object.values(outcomes).flatMap((counts) => Object.values(counts));
  return {
    inputs: sent.reduce((sum, one) => sum + one, 0),
    outcomes,
    failures,
    warmUp: system.warmUp,
    rest: system.rest,
    bystander: system.bystander,
    slowestMs: parsers.slowestMs,
  };
}
