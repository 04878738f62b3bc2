import { turnOutcomes } from "@voxbus/protocol";
import type { TurnView } from "../../src/live/live.ts";
import { showCount, showMs, showTime, useNow } from "../shared/show.ts";
import { turnSteps } from "../shared/turn-steps.ts";
import { useWords } from "../shared/words.ts";
import { layOutTurns, scaleOf, type Bar, type TurnBars } from "./turn-bars.ts";

const packetKinds = ["fenced", "dropped", "late"] as const;
const engineRoles = ["asr", "llm", "tts"] as const;

/** Turns as bars on one scale, the newest first. `traces` is the address of a trace with `{trace}` in place of its id. */
export function Timeline(props: { readonly turns: readonly TurnView[]; readonly traces?: string | undefined }) {
  const { turns, traces } = props;
  const { device: words, steps } = useWords();
  const isRunning = turns.some(({ endedAt }) => endedAt === undefined);
  const now = useNow(isRunning ? 100 : 60_000);
  const rows = layOutTurns(turns, Math.max(now, Date.now() - 1000));
  if (rows.length === 0) return <p class="empty">{words.noTurns}</p>;
  const scale = scaleOf(rows);
  return (
    <>
      <ul class="legend" aria-hidden="true">
        {turnSteps.map((step) => (
          <li key={step} class={`key ${step}-step`}>
            {steps[step]}
          </li>
        ))}
      </ul>
      <ol class="turns">
        {rows.map((row) => (
          <TurnRow key={row.turn.id} row={row} scale={scale} traces={traces} />
        ))}
      </ol>
    </>
  );
}

function TurnRow(props: { readonly row: TurnBars; readonly scale: number; readonly traces?: string | undefined }) {
  const { row, scale, traces } = props;
  const { turn, startedAt } = row;
  return (
    <li>
      <TurnHead turn={turn} startedAt={startedAt} traces={traces} />
      {turn.heard !== undefined && <p class="turn-question">{turn.heard || "…"}</p>}
      <Track row={row} scale={scale} />
      {turn.said && turn.said.length > 0 && <p class="turn-answer">{turn.said.join(" ")}</p>}
    </li>
  );
}

function TurnHead(props: {
  readonly turn: TurnView;
  readonly startedAt: number;
  readonly traces?: string | undefined;
}) {
  const { turn, startedAt, traces } = props;
  const { device: words } = useWords();
  const { outcome, trace } = turn;
  const engines = engineRoles.filter((role) => turn.engines?.[role] !== undefined);
  const isBad = outcome !== undefined && turnOutcomes[outcome].class === "fault";
  return (
    <p class="turn-head">
      <time dateTime={new Date(startedAt).toISOString()}>{showTime(startedAt)}</time>
      {turn.origin === undefined && <span>{words.announcement}</span>}
      <span class={isBad ? "bad" : ""}>{outcome === undefined ? words.running : words.outcomes[outcome]}</span>
      <span>{words.sentences(turn.sentences)}</span>
      {packetKinds.map(
        (kind) => turn[kind] > 0 && <span key={kind}>{words.packets[kind](showCount(turn[kind]))}</span>,
      )}
      {engines.length > 0 && (
        <span title={words.engines}>{engines.map((role) => turn.engines?.[role]).join(" · ")}</span>
      )}
      {traces && trace && (
        <a href={traces.replace("{trace}", trace)} target="_blank" rel="noreferrer">
          {words.trace}
        </a>
      )}
    </p>
  );
}

function Track(props: { readonly row: TurnBars; readonly scale: number }) {
  const { row, scale } = props;
  const { bars, startedAt: start } = row;
  const { steps } = useWords();
  const lengthOf = ({ from, to }: Bar) => showMs(to - from);
  const percent = (ms: number) => `${(ms / scale) * 100}%`;
  return (
    <>
      <div class="track" role="img" aria-label={bars.map((bar) => `${steps[bar.step]} ${lengthOf(bar)}`).join(", ")}>
        {bars.map(({ step, from, to, isRunning }) => (
          <span
            key={step}
            class={`${step}-step ${isRunning ? "running" : ""}`}
            style={{ left: percent(from - start), width: percent(to - from) }}
          />
        ))}
      </div>
      <p class="turn-steps" aria-hidden="true">
        {bars.map((bar) => (
          <span key={bar.step} class={`key ${bar.step}-step`}>
            {lengthOf(bar)}
          </span>
        ))}
      </p>
    </>
  );
}
