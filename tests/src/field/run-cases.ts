import { setTimeout as sleep } from "node:timers/promises";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { openStage, type OpenStage } from "./stage.ts";

/** A case that was run. */
export interface Row extends Outcome, Pick<FieldCase, "odd" | "right" | "why"> {
  readonly kind: string;
  readonly ms: number;
}

/** The longest time that a case may take, ms. */
const caseMs = 30_000;

/** Runs cases one after the other on one stage, and reports each row. A case that does not hold is followed by a new stage. */
export async function runCases(
  kinds: readonly FieldKind[],
  tell: { readonly begin: (odd: string) => void; readonly row: (row: Row, log: string) => void },
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let stage: OpenStage | undefined;
  const close = async () => {
    await stage?.close();
    stage = undefined;
  };
  try {
    for (const { title, cases } of kinds) {
      for (const one of cases) {
        tell.begin(one.odd);
        stage ??= await openStage();
        const { odd, right, why } = one;
        const startedAt = performance.now();
        const outcome = await runCase(one, stage);
        const happened = outcome.happened.length > 200 ? `${outcome.happened.slice(0, 200)}…` : outcome.happened;
        const row = { kind: title, odd, right, why, happened, held: outcome.held, ms: performance.now() - startedAt };
        rows.push(row);
        tell.row(row, stage.log());
        if (!row.held) await close();
      }
    }
  } finally {
    await close();
  }
  return rows;
}

async function runCase(one: FieldCase, stage: OpenStage): Promise<Outcome> {
  stage.begin();
  const late = new AbortController();
  const tooLate = sleep(
    caseMs,
    { happened: `nothing within ${caseMs / 1000} s`, held: false },
    { signal: late.signal },
  );
  tooLate.catch(() => undefined);
  const describe = (error: unknown) => ({
    happened: error instanceof Error ? error.message : String(error),
    held: false,
  });
  const outcome = await Promise.race([one.run(stage).catch(describe), tooLate]);
  late.abort();
  const problems = await stage.finish().catch((error: unknown) => [describe(error).happened]);
  return problems.length === 0 ? outcome : { happened: [outcome.happened, ...problems].join("; "), held: false };
}
