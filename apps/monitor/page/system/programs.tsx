import type { ProgramNumbers } from "../../src/live/live.ts";
import { showAge, showBytes, showCount, showMs, showPercent, useNow } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { Measured } from "./measured.tsx";

/** The running processes with their numbers, and the thresholds of these. */
export function Programs({ programs }: { readonly programs: readonly ProgramNumbers[] }) {
  const { system: words } = useWords();
  const now = useNow(5000);
  const sorted = programs.toSorted((a, b) => (`${a.name} ${a.id}` < `${b.name} ${b.id}` ? -1 : 1));
  return (
    <section class="card wide" aria-labelledby="programs-title">
      <h2 id="programs-title">{words.programs}</h2>
      <div class="scroll" tabIndex={0} role="group" aria-labelledby="programs-title">
        <table>
          <thead>
            <tr>
              <th scope="col">{words.program}</th>
              <th scope="col">{words.health}</th>
              <th scope="col">{words.up}</th>
              <th scope="col">{words.memory}</th>
              <th scope="col">{words.cpu}</th>
              <th scope="col">{words.loop}</th>
              <th scope="col">{words.connections}</th>
              <th scope="col">{words.speaking}</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((program) => (
              <tr key={`${program.name} ${program.id}`}>
                <th scope="row">
                  {program.name} <small title={program.id}>{program.id}</small>
                </th>
                <td>
                  <Health program={program} />
                </td>
                <td>{program.since === undefined ? "–" : showAge(program.since, now)}</td>
                <td>
                  <Measured value={program.memory} rule="memory" show={showBytes} />
                </td>
                <td>
                  <Measured value={program.cpu} rule="cpu" show={showPercent} />
                </td>
                <td>
                  <Measured value={program.loop} rule="loop-delay" show={showMs} />
                </td>
                <td>
                  <Measured value={program.connections} rule="connections" show={showCount} />
                </td>
                <td>{showCount(program.speaking)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="note">{words.thresholdNote}</p>
    </section>
  );
}

function Health({ program: { health, reaction } }: { readonly program: ProgramNumbers }) {
  const { system: words } = useWords();
  if (reaction === undefined || health !== "ok") return <span class={`dot ${health}`}>{words.healths[health]}</span>;
  return <span class="dot draining">{words.reactions[reaction.kind](words.causes[reaction.cause])}</span>;
}
