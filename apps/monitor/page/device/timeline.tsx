import type { TurnView } from "../../src/live/live.ts";
import { showMs, showTime, useNow } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

type PartName = "heard" | "understood" | "thought" | "voiced" | "said";

interface Bar {
  readonly name: PartName;
  /** ms since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly open: boolean;
}

const order: readonly PartName[] = ["heard", "understood", "thought", "voiced", "said"];
const leastScale = 3000;

/** Where the time of a turn went; the part that goes on ends now. */
function barsOf(turn: TurnView, now: number): readonly Bar[] {
  const { speech, heardAt, saidAt, voicedAt, soundAt, endedAt } = turn;
  const sounding = soundAt ?? voicedAt;
  const marks = [speech?.from, speech?.to, heardAt, saidAt, sounding, endedAt];
  return order.flatMap((name, at) => {
    const from = marks[at];
    if (from === undefined) return [];
    const to = marks.slice(at + 1).find((mark) => mark !== undefined);
    const isNext = marks[at + 1] !== undefined;
    // A turn that ended before a step was reached has no such step.
    if (to !== undefined && !isNext && name !== "said") return [];
    return [{ name, from, to: Math.max(from, to ?? now), open: to === undefined }];
  });
}

/** Turns as bars on one scale, the newest first. */
export function Timeline({
  turns,
  traces,
}: {
  readonly turns: readonly TurnView[];
  readonly traces?: string | undefined;
}) {
  const { device: words } = useWords();
  const isRunning = turns.some(({ endedAt }) => endedAt === undefined);
  const now = useNow(isRunning ? 100 : 60_000);
  if (turns.length === 0) return <p class="empty">{words.noTurns}</p>;
  const rows = turns
    .map((turn) => ({ turn, bars: barsOf(turn, Math.max(now, Date.now() - 1000)) }))
    .filter(({ bars }) => bars.length > 0)
    .toReversed();
  // Long answers are cut at the right edge: what people wait for is before the first sound.
  const waits = rows.map(
    ({ bars }) => ((bars.findLast(({ name }) => name !== "said") ?? bars[0])?.to ?? 0) - (bars[0]?.from ?? 0),
  );
  const scale = Math.max(leastScale, ...waits.map((wait) => wait * 1.5));
  return (
    <>
      <ul class="legend" aria-hidden="true">
        {order.map((name) => (
          <li key={name} class={`part ${name}`}>
            {words.parts[name]}
          </li>
        ))}
      </ul>
      <ol class="turns">
        {rows.map(({ turn, bars }) => (
          <TurnRow key={turn.id} turn={turn} bars={bars} scale={scale} traces={traces} />
        ))}
      </ol>
    </>
  );
}

function TurnRow(props: { turn: TurnView; bars: readonly Bar[]; scale: number; traces?: string | undefined }) {
  const { turn, bars, scale, traces } = props;
  const { device: words } = useWords();
  const began = bars[0]?.from ?? 0;
  const told = bars.map(({ name, from, to }) => `${words.parts[name]} ${showMs(to - from)}`).join(", ");
  const outcome = turn.outcome === undefined ? words.running : (words.outcomes[turn.outcome] ?? turn.outcome);
  const isBad = turn.outcome !== undefined && turn.outcome !== "played";
  return (
    <li>
      <p class="turn-head">
        <time dateTime={new Date(began).toISOString()}>{showTime(began)}</time>
        {turn.origin === undefined && <span>{words.announcement}</span>}
        <span class={isBad ? "bad" : ""}>{outcome}</span>
        <span>{words.sentences(turn.sentences)}</span>
        {turn.fenced + turn.dropped + turn.late > 0 && (
          <span>{words.counts(turn.fenced, turn.dropped, turn.late)}</span>
        )}
        {traces && turn.trace && (
          <a href={traces.replace("{trace}", turn.trace)} target="_blank" rel="noreferrer">
            {words.trace}
          </a>
        )}
      </p>
      {turn.heard !== undefined && <p class="turn-asked">{turn.heard || "…"}</p>}
      <div class="track" role="img" aria-label={told}>
        {bars.map(({ name, from, to, open }) => (
          <span
            key={name}
            class={`${name} ${open ? "open" : ""}`}
            style={{ left: `${((from - began) / scale) * 100}%`, width: `${((to - from) / scale) * 100}%` }}
          />
        ))}
      </div>
      <p class="parts" aria-hidden="true">
        {bars.map(({ name, from, to }) => (
          <span key={name} class={`part ${name}`}>
            {showMs(to - from)}
          </span>
        ))}
      </p>
      {turn.said && turn.said.length > 0 && <p class="turn-said">{turn.said.join(" ")}</p>}
    </li>
  );
}
