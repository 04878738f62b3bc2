import { useEffect, useRef } from "preact/hooks";
import { showMs } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { exchangeSteps, lengthOf, timeSteps, timeToFirstSound, type Exchange } from "./exchange.ts";

/** The exchanges of the conversation with their timing. Without any, it explains the steps of an answer. */
export function ExchangeList({ exchanges }: { readonly exchanges: readonly Exchange[] }) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    if (list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [exchanges]);
  if (exchanges.length === 0) return <Explanation />;
  const longest = Math.max(1, ...exchanges.map(lengthOf));
  return (
    <ol ref={list} class="exchanges">
      {exchanges.map((exchange) => (
        <ExchangeItem key={exchange.id} exchange={exchange} longest={longest} />
      ))}
    </ol>
  );
}

function Explanation() {
  const { talk: words, steps } = useWords();
  return (
    <>
      <p class="empty">{words.empty}</p>
      <dl class="explanation">
        {exchangeSteps.map((step) => (
          <div key={step}>
            <dt class={`key ${step}-step`}>{steps[step]}</dt>
            <dd>{words.stepTexts[step]}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

interface ItemProps {
  readonly exchange: Exchange;
  /** The length of the longest exchange, ms. All bars have its scale. */
  readonly longest: number;
}

function ExchangeItem({ exchange, longest }: ItemProps) {
  const { talk: words } = useWords();
  const { question, askedAt, answer, alert } = exchange;
  return (
    <li class="exchange">
      <p class="question">{question ?? (askedAt === undefined ? words.announcement : words.unheard)}</p>
      {answer.length > 0 && <p class="answer">{answer.join(" ")}</p>}
      {alert && <p class="bad">{alert}</p>}
      <Timing exchange={exchange} longest={longest} />
    </li>
  );
}

function Timing({ exchange, longest }: ItemProps) {
  const { talk: words, steps } = useWords();
  const times = timeSteps(exchange);
  const wait = timeToFirstSound(exchange);
  if (times.length === 0 && !exchange.isStopped) return null;
  return (
    <div class="timing">
      <div class="bar" aria-hidden="true" style={{ width: `${(lengthOf(exchange) / longest) * 100}%` }}>
        {times.map(({ step, ms }) => (
          <span key={step} class={`${step}-step`} style={{ flexGrow: Math.max(ms, 1) }} />
        ))}
      </div>
      <p>
        {wait !== undefined && <strong>{words.wait(showMs(wait))}</strong>}
        {times.map(({ step, ms }) => (
          <span key={step} class={`key ${step}-step`}>
            {steps[step]} {showMs(ms)}
          </span>
        ))}
        {exchange.isStopped && <span>{words.stopped}</span>}
      </p>
    </div>
  );
}
