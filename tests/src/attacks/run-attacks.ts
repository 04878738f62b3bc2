import { worlds, type Attack, type WorldName } from "./attack.ts";
import { runAttack, type Plan, type Row } from "./run-attack.ts";
import { openStand, type Stand } from "./stand.ts";

/** The forms of the suite. */
export const plans = {
  whole: { calmMs: 15_000, attackMs: 20_000, settleMs: 5000, scale: 1, bystanders: 8, noise: 1 },
  short: { calmMs: 1500, attackMs: 2000, settleMs: 500, scale: 0.05, bystanders: 4, noise: 6 },
} as const satisfies Readonly<Record<string, Plan>>;

/** Runs attacks one after the other, with one system for each world, and reports each row. */
export async function runAttacks(
  attacks: readonly Attack[],
  plan: Plan,
  tell: {
    readonly begin: (title: string) => void;
    readonly row: (row: Row) => void;
    readonly log?: (text: string) => void;
  },
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const world of Object.keys(worlds) as WorldName[]) {
    let stand: Stand | undefined;
    const close = async () => {
      const output = stand?.target.system.launched.output();
      const problems = (await stand?.close()) ?? [];
      if (output !== undefined) tell.log?.(output);
      stand = undefined;
      return problems;
    };
    try {
      for (const attack of attacks.filter((one) => (one.world ?? "open") === world)) {
        tell.begin(attack.title);
        stand ??= await openStand(world, plan.bystanders);
        const row = await runAttack(attack, stand, plan);
        rows.push(row);
        tell.row(row);
        // The system may be broken, so the next attack gets a new one.
        if (row.failures.length > 0) await close();
      }
    } finally {
      const problems = await close();
      const last = rows.at(-1);
      if (last && problems.length > 0) rows[rows.length - 1] = { ...last, failures: [...last.failures, ...problems] };
    }
  }
  const placeOf = ({ name }: Row) => attacks.findIndex((attack) => attack.name === name);
  return rows.toSorted((a, b) => placeOf(a) - placeOf(b));
}
