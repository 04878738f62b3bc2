import type { ShadowView } from "../../src/live/live.ts";
import { showCount, showMs, showPercent } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

/** The shadows beside the real programs. Without a shadow there is nothing to see. */
export function Shadows({ shadows }: { readonly shadows: readonly ShadowView[] }) {
  const { system: words } = useWords();
  if (shadows.length === 0) return null;
  return (
    <section class="card" aria-labelledby="shadows-title">
      <h2 id="shadows-title">{words.shadows}</h2>
      <div class="scroll" tabIndex={0} role="group" aria-labelledby="shadows-title">
        <table>
          <thead>
            <tr>
              <th scope="col">{words.shadow}</th>
              <th scope="col">{words.compared}</th>
              <th scope="col">{words.equal}</th>
              <th scope="col">{words.wordErrors}</th>
              <th scope="col">{words.later}</th>
              <th scope="col">{words.missing}</th>
              <th scope="col">{words.extra}</th>
            </tr>
          </thead>
          <tbody>
            {shadows.map(({ name, program, compared, equal, wordErrors, laterMs, missing, extra }) => (
              <tr key={`${name} ${program}`}>
                <th scope="row">
                  {name} <span class="pool">{program}</span>
                </th>
                <td>{showCount(compared)}</td>
                <td>{equal === undefined ? "–" : showPercent(equal * 100)}</td>
                <td>{wordErrors === undefined ? "–" : showPercent(wordErrors * 100)}</td>
                <td>{laterMs ? `${showMs(laterMs.p50)} / ${showMs(laterMs.p95)}` : "–"}</td>
                <td class={missing > 0 ? "bad" : ""}>{showCount(missing)}</td>
                <td>{showCount(extra)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="note">{words.shadowNote}</p>
    </section>
  );
}
