import { worlds, type Fault } from "./fault.ts";
import type { References } from "./judge.ts";
import { learnReferences } from "./learn.ts";
import { loadQuestions } from "./questions.ts";
import { failedRow, runFault, type Row } from "./run-fault.ts";
import { openWorld, type World } from "./world.ts";

/** Runs faults one after the other, with one system for each world, and reports each row. */
export async function runFaults(
  faults: readonly Fault[],
  tell: {
    readonly begin: (name: string) => void;
    readonly row: (row: Row) => void;
    readonly log?: (text: string) => void;
  },
  form: "whole" | "short" = "whole",
): Promise<readonly Row[]> {
  const questions = loadQuestions(form);
  let references: References | undefined;
  const rows: Row[] = [];
  for (const [name, options] of Object.entries(worlds)) {
    const here = faults.filter(({ world }) => world === name);
    if (here.length === 0) continue;
    let world: World | undefined;
    let known: References | undefined;
    const close = async () => {
      await world?.close();
      if (world) tell.log?.(world.output());
      world = undefined;
    };
    try {
      for (const fault of here) {
        tell.begin(fault.name);
        try {
          world ??= await openWorld(options);
          known ??= options.engines === "model" ? undefined : references;
          known ??= await learnReferences(world, questions);
          if (options.engines !== "model") references = known;
          rows.push(await runFault(fault, world, { questions, references: known }));
        } catch (error) {
          // The system may be broken, so the next fault gets a new one.
          rows.push(failedRow(fault.name, error));
          await close();
        }
        tell.row(rows.at(-1)!);
      }
    } finally {
      await close();
    }
  }
  return rows.toSorted((a, b) => placeOf(a.name, faults) - placeOf(b.name, faults));
}

const placeOf = (name: string, faults: readonly Fault[]) => faults.findIndex((fault) => fault.name === name);
