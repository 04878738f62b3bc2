import type { Bottleneck, Capacity, CapacityLimit, Numbers, Score } from "../../src/live/live.ts";
import { showCount, showMs, showPercent } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { namePool } from "./name-pool.ts";
import { nameProcess } from "./name-process.ts";
import type { SystemWords } from "../shared/system-words-en.ts";

/** The bottleneck in a sentence, and the score and the capacity with their formulas. */
export function LoadCards({ now: { bottleneck, score, capacity } }: { readonly now: Numbers }) {
  const { system: words } = useWords();
  return (
    <div class="charts load">
      <section class="card" aria-labelledby="bottleneck-title">
        <h2 id="bottleneck-title">{words.bottleneck}</h2>
        {bottleneck && <p class={bottleneck.limiting ? "say bad" : "say"}>{sayBottleneck(bottleneck, words)}</p>}
        <p class="note">{words.bottleneckNote}</p>
      </section>
      <ScoreCard score={score} />
      <CapacityCard capacity={capacity} />
    </div>
  );
}

function ScoreCard({ score }: { readonly score: Score | undefined }) {
  const { system: words } = useWords();
  const percent = (share: number) => showPercent(share * 100);
  return (
    <section class="card" aria-labelledby="score-title">
      <h2 id="score-title">{words.score}</h2>
      {score ? (
        <>
          <p class="say">
            <b>{score.value}</b> / 100
          </p>
          <p class="formula">
            {words.scoreFormula(percent(score.answered), percent(score.smooth), percent(score.prompt))}
          </p>
          <p class="note">{words.scoreNote(showCount(score.turns), showCount(score.failed), showCount(score.shed))}</p>
        </>
      ) : (
        <p class="empty">{words.noData}</p>
      )}
    </section>
  );
}

function CapacityCard({ capacity }: { readonly capacity: Capacity }) {
  const { system: words } = useWords();
  const { more, turns, turnsNeeded, talking, turnMs, limits } = capacity;
  const [limit] = limits;
  return (
    <section class="card" aria-labelledby="capacity-title">
      <h2 id="capacity-title">{words.capacity}</h2>
      {more === undefined || limit === undefined ? (
        <p class="empty">{words.capacityUnknown(showCount(turnsNeeded), showCount(turns))}</p>
      ) : (
        <>
          <p class="say">
            {words.more(showCount(more))}
            <small>{words.limitedBy(sayLimit(limit, words))}</small>
          </p>
          <p class="formula">{formulate(limit, talking)}</p>
          <p class="note">
            {words.capacityNote(showCount(talking), showMs(turnMs))}{" "}
            {limit.kind === "connections" ? words.connectionsFormula : words.capacityFormula}
          </p>
        </>
      )}
    </section>
  );
}

function sayBottleneck(bottleneck: Bottleneck, words: SystemWords): string {
  const { kind, program, id, name, share, limiting } = bottleneck;
  const percent = showPercent(share * 100);
  const part =
    kind === "pool"
      ? words.loads.pool(program, namePool(words.poolNames, name), percent)
      : kind === "queue"
        ? words.loads.queue(words.queueNames[id] ?? words.otherQueue(id), percent)
        : words.loads[kind](nameProcess(program, id), percent);
  return limiting ? words.limiting(part) : words.notLimiting(part);
}

function sayLimit({ kind, name }: CapacityLimit, words: SystemWords): string {
  const [program = "", pool = ""] = name.split(" ");
  return words.limits[kind](program, namePool(words.poolNames, pool));
}

function formulate({ kind, used, idle, most, more }: CapacityLimit, talking: number): string {
  const show = (value: number) => String(Math.round(value * 100) / 100);
  if (kind === "connections") return `${show(most)} − ${show(used)} = ${more}`;
  const each = idle > 0 ? `(${show(used)} − ${show(idle)})` : show(used);
  return `${talking} × (${show(most)} − ${show(used)}) / ${each} = ${more}`;
}
