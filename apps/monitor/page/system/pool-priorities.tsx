import type { ProgramPool } from "../../src/live/live.ts";
import { showCount, showMs, showPercent } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

const counts = ["submitted", "running", "peak", "waiting", "waited", "done", "failed", "timedOut", "shed"] as const;
const times = ["waitMs", "workMs"] as const;
const figures = ["mean", "p50", "p95", "p99"] as const;

/** A name, and how its value is read. */
type Row = readonly [name: string, read: (work: ProgramPool["work"][number]) => string];

/** All numbers of a pool's work, a column for each priority. `label` names the table. */
export function PoolPriorities({ work, label }: { readonly work: ProgramPool["work"]; readonly label: string }) {
  const { system: words } = useWords();
  const rows: readonly Row[] = [
    ...counts.map((name): Row => [words.work[name], (one) => showCount(one[name])]),
    [words.success, ({ successRate }) => (successRate === undefined ? "–" : showPercent(successRate * 100))],
    ...times.flatMap((time) =>
      figures.map((figure): Row => [words.poolTimes[time](words.figures[figure]), (one) => showMs(one[time][figure])]),
    ),
  ];
  return (
    <table class="priorities" aria-label={label}>
      <thead>
        <tr>
          <th scope="col">{words.priority}</th>
          {work.map(({ priority }) => (
            <th key={priority} scope="col">
              {words.priorities[priority]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, read]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            {work.map((one) => (
              <td key={one.priority}>{read(one)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
