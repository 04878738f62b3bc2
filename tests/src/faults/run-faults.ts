import { worlds, type Fault } from "./fault.ts";
import type { References } from "./judge.ts";
import { learnReferences } from "./learn.ts";
import { loadQuestions } from "./questions.ts";
import { runFault, type Row } from "./run-fault.ts";
import { openWorld } from "./world.ts";

/** Runs faults one after the other, those of one world in one system; tells each row as it comes. */
export async function runFaults(
  faults: readonly Fault[],
  tell: {
    readonly begin: (name: string) => void;
    readonly row: (row: Row) => void;
    readonly log?: (text: string) => void;
  },
): Promise<readonly Row[]> {
  const questions = await loadQuestions();
  let references: References | undefined;
  const rows: Row[] = [];
  for (const [name, options] of Object.entries(worlds)) {
    const here = faults.filter(({ world }) => world === name);
    if (here.length === 0) continue;
    const world = await openWorld(options);
    try {
      const known = options.engines === "model" ? undefined : references;
      const learnt = known ?? (await learnReferences(world, questions));
      if (options.engines !== "model") references = learnt;
      for (const fault of here) {
        tell.begin(fault.name);
        const row = await runFault(fault, world, { questions, references: learnt });
        rows.push(row);
        tell.row(row);
      }
    } finally {
      await world.close();
      tell.log?.(world.output());
    }
  }
  return rows.toSorted((a, b) => placeOf(a.name, faults) - placeOf(b.name, faults));
}

const placeOf = (name: string, faults: readonly Fault[]) => faults.findIndex((fault) => fault.name === name);
