import type { SessionState } from "@voxbus/protocol";
import type { AlertView, BadMessageView, Numbers, Point } from "../../src/live/live.ts";
import { hello, numbers, points } from "../shared/live-state.ts";
import { showCount, showMs, showTime, showWord } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { Chart, type Line } from "./chart.tsx";
import { LoadCards } from "./load-cards.tsx";
import { Measured } from "./measured.tsx";
import { nameProcess } from "./name-process.ts";
import { Pools } from "./pools.tsx";
import { Programs } from "./programs.tsx";
import { Services } from "./services.tsx";
import { Shadows } from "./shadows.tsx";
import "./system.css";

/** System: load, latencies, programs, alerts and queues. */
export function SystemPage() {
  const { system: words } = useWords();
  const now = numbers.value;
  return (
    <>
      <div class="heading">
        <h1>{words.title}</h1>
      </div>
      {now && (
        <>
          <LoadCards now={now} />
          <Tiles now={now} />
          <Charts />
          <div class="stack">
            <Programs programs={now.programs} />
            <Services services={now.services} channels={now.channels} badMessages={now.badMessages} />
            <Pools pools={now.pools} />
            <Shadows shadows={now.shadows} />
            <div class="columns">
              <Alerts alerts={now.alerts} />
              <Queues queues={now.queues} />
            </div>
            <BadMessages messages={now.badMessages} />
          </div>
        </>
      )}
    </>
  );
}

function Tiles({ now }: { readonly now: Numbers }) {
  const { system: words, fleet } = useWords();
  const { sound } = now.latencies;
  const target = hello.value?.thresholds["first-sound-p95"];
  const states = Object.entries(now.states).map(
    ([state, count]) => `${showCount(count)} ${fleet.states[state as SessionState] ?? state}`,
  );
  return (
    <dl class="tiles">
      <Tile name={words.online} value={showCount(now.online)} more={states.join(", ")} />
      <Tile
        name={words.turns}
        value={showCount(now.rates.played + now.rates.failed)}
        more={words.failed(showCount(now.rates.failed))}
        bad={now.rates.failed > now.rates.played}
      />
      <Tile
        name={words.sound}
        value={showMs(sound?.p50)}
        more={sound ? words.p95Target(showMs(sound.p95), showMs(target)) : words.noData}
      />
      <Tile
        name={words.bus}
        value={now.bus.connected ? `${now.bus.rtt.toFixed(1)} ms` : words.away}
        more={words.rtt}
        bad={!now.bus.connected}
      />
    </dl>
  );
}

function Tile(props: { readonly name: string; readonly value: string; readonly more: string; readonly bad?: boolean }) {
  return (
    <div class="card tile">
      <dt>{props.name}</dt>
      <dd class={props.bad ? "bad" : ""}>{props.value}</dd>
      <dd class="note">{props.more}</dd>
    </div>
  );
}

function Charts() {
  const { system: words } = useWords();
  const all = points.value;
  const times = all.map(({ at }) => at);
  const values = (read: (point: Point) => number | undefined) => all.map((point) => read(point) ?? null);
  const last = all.at(-1);
  const latency: readonly Line[] = [
    { label: words.median, color: "--speech", values: values(({ latencies }) => latencies.sound?.p50), fill: true },
    { label: words.ninetyFive, color: "--thinking", values: values(({ latencies }) => latencies.sound?.p95) },
    { label: words.ninetyNine, color: "--playback", values: values(({ latencies }) => latencies.sound?.p99) },
  ];
  const turns: readonly Line[] = [
    { label: words.heard, color: "--speech", values: values(({ rates }) => rates.heard) },
    { label: words.played, color: "--accent", values: values(({ rates }) => rates.played), fill: true },
    { label: words.failedLine, color: "--bad", values: values(({ rates }) => rates.failed) },
  ];
  const online: readonly Line[] = [
    { label: words.online, color: "--accent", values: values(({ online }) => online), fill: true },
  ];
  const sound = last?.latencies.sound;
  return (
    <div class="charts">
      <section class="card">
        <h2>{words.latency}</h2>
        <Chart
          times={times}
          lines={latency}
          unit=" ms"
          summary={sound ? `${words.median} ${showMs(sound.p50)}, ${words.p95(showMs(sound.p95))}` : words.noData}
        />
      </section>
      <section class="card">
        <h2>{words.turns}</h2>
        <Chart times={times} lines={turns} unit="" summary={`${words.played} ${last?.rates.played ?? 0}`} />
      </section>
      <section class="card">
        <h2>{words.online}</h2>
        <Chart times={times} lines={online} unit="" summary={showCount(last?.online ?? 0)} />
      </section>
    </div>
  );
}

/** An address is a link; a path in the repository is only shown. */
function Runbook({ link }: { readonly link: string }) {
  if (!/^https?:/.test(link)) return <code>{link}</code>;
  return (
    <a href={link} rel="noreferrer" target="_blank">
      {link.replace(/^.*#/, "")}
    </a>
  );
}

function Alerts({ alerts }: { readonly alerts: readonly AlertView[] }) {
  const { system: words } = useWords();
  return (
    <section class="card" aria-labelledby="alerts-title">
      <h2 id="alerts-title">{words.alerts}</h2>
      {alerts.length === 0 && <p class="empty good">{words.noAlerts}</p>}
      <ul class="alerts">
        {alerts.map((alert) => (
          <li key={alert.id} class={alert.resolved ? "resolved" : alert.severity}>
            <p class="alert-head" title={`${alert.name} ${alert.target}`}>
              <b>{alert.resolved ? words.resolved : words.severities[alert.severity]}</b>
              <span>{showWord(words.alertNames, alert.name)}</span>
              <time dateTime={new Date(alert.at).toISOString()}>{showTime(alert.at)}</time>
            </p>
            <p>{alert.message}</p>
            <p class="runbook">
              {words.runbook}: <Runbook link={alert.runbook} />
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Queues({ queues }: { readonly queues: Numbers["queues"] }) {
  const { system: words } = useWords();
  return (
    <section class="card" aria-labelledby="queues-title">
      <h2 id="queues-title">{words.queues}</h2>
      {queues.length === 0 && <p class="empty">{words.noQueues}</p>}
      <dl class="queues">
        {queues.map(({ name, program, depth }) => (
          <div key={name}>
            <dt title={name}>
              {program
                ? words.ownQueue(nameProcess(program, name))
                : (words.queueNames[name] ?? words.otherQueue(name))}
            </dt>
            <dd>
              <Measured value={depth} rule="queue" show={showCount} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function BadMessages({ messages }: { readonly messages: readonly BadMessageView[] }) {
  const { system: words } = useWords();
  return (
    <section class="card" aria-labelledby="bad-messages-title">
      <h2 id="bad-messages-title">{words.badMessages}</h2>
      {messages.length === 0 && <p class="empty good">{words.noBadMessages}</p>}
      {messages.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-labelledby="bad-messages-title">
          <table>
            <thead>
              <tr>
                <th scope="col">{words.subject}</th>
                <th scope="col">{words.why}</th>
                <th scope="col">{words.field}</th>
                <th scope="col">{words.publishedBy}</th>
                <th scope="col">{words.times}</th>
                <th scope="col">{words.lastTime}</th>
                <th scope="col">{words.droppedBy}</th>
              </tr>
            </thead>
            <tbody>
              {messages.map(({ subject, reason, field = "", limit, publisher, count, at, program, id }) => (
                <tr key={`${program} ${id} ${subject} ${reason} ${field}`}>
                  <th scope="row" class="subject" title={subject}>
                    {subject}
                  </th>
                  <td>{words.reasons[reason] ?? reason}</td>
                  <td>
                    {field || "–"} <small>{limit}</small>
                  </td>
                  <td>{publisher ?? "–"}</td>
                  <td>{showCount(count)}</td>
                  <td>
                    <time dateTime={new Date(at).toISOString()}>{showTime(at)}</time>
                  </td>
                  <td>
                    {program} <small title={id}>{id}</small>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
