import { useState } from "preact/hooks";
import type { ProgramPool } from "../../src/live/live.ts";
import { showCount, showMs, showPercent } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { Measured } from "./measured.tsx";
import { namePool } from "./name-pool.ts";
import { PoolPriorities } from "./pool-priorities.tsx";

type Pool = Omit<ProgramPool, "processes">;

/** The pools of work, each summed over the processes of its program. A pool opens to show its priorities. */
export function Pools({ pools }: { readonly pools: readonly Pool[] }) {
  const { system: words } = useWords();
  return (
    <section class="card" aria-labelledby="pools-title">
      <h2 id="pools-title">{words.pools}</h2>
      {pools.length === 0 && <p class="empty">{words.noPools}</p>}
      {pools.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-labelledby="pools-title">
          <table>
            <thead>
              <tr>
                <th scope="col">{words.pool}</th>
                <th scope="col">{words.busy}</th>
                <th scope="col">{words.running}</th>
                <th scope="col">{words.waiting}</th>
                <th scope="col">{words.wait}</th>
                <th scope="col">{words.success}</th>
                <th scope="col">{words.shed}</th>
              </tr>
            </thead>
            <tbody>
              {pools.map((pool) => (
                <PoolRow key={`${pool.program} ${pool.name}`} pool={pool} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {pools.length > 0 && <p class="note">{words.poolNote}</p>}
    </section>
  );
}

function PoolRow({ pool: { program, name, slots, busy, all, work } }: { readonly pool: Pool }) {
  const { system: words } = useWords();
  const [open, setOpen] = useState(false);
  const wait = work.find(({ priority }) => priority === "high")?.waitMs.p95;
  const title = `${program} ${namePool(words.poolNames, name)}`;
  return (
    <>
      <tr>
        <th scope="row">
          <button class="disclosure" aria-expanded={open} onClick={() => setOpen(!open)}>
            {program} <span class="pool">{namePool(words.poolNames, name)}</span>
          </button>
        </th>
        <td>
          <meter min={0} max={1} high={0.85} value={busy} aria-label={words.busy} />
          {showPercent(busy * 100)}
        </td>
        <td>
          {showCount(all.running)}
          <small class="threshold"> / {showCount(slots)}</small>
        </td>
        <td title={work.map((one) => `${words.priorities[one.priority]} ${one.waiting}`).join(", ")}>
          {showCount(all.waiting)}
        </td>
        <td>
          <Measured value={wait} rule="pool-wait" show={showMs} />
        </td>
        <td>{all.successRate === undefined ? "–" : showPercent(all.successRate * 100)}</td>
        <td class={all.shed > 0 ? "bad" : ""}>{showCount(all.shed)}</td>
      </tr>
      {open && (
        <tr>
          <td colSpan={7}>
            <PoolPriorities work={work} label={words.prioritiesOf(title)} />
          </td>
        </tr>
      )}
    </>
  );
}
