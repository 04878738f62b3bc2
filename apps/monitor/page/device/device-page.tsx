import { useEffect, useRef, useState } from "preact/hooks";
import "./device.css";
import type { Activity, DeviceView, Hello, TurnView } from "../../src/live/live.ts";
import { ask, RefusedError } from "../shared/api.ts";
import { followEvents } from "../shared/event-stream.ts";
import { ProfileForm } from "./profile-form.tsx";
import { showAge, showTime, useNow } from "../shared/show.ts";
import { Timeline } from "./timeline.tsx";
import { useWords } from "../shared/words.ts";

const maxTurns = 12;
const maxActivities = 40;

/** State of the device while its page is open. */
interface DeviceState {
  /** True once the monitor has said if the device is online. */
  readonly isKnown: boolean;
  readonly device?: DeviceView | undefined;
  readonly hello?: Hello | undefined;
  readonly turns: readonly TurnView[];
  readonly activities: readonly Activity[];
}

function useDevice(id: string): DeviceState {
  const [state, setState] = useState<DeviceState>({ isKnown: false, turns: [], activities: [] });
  useEffect(
    () =>
      followEvents(`/api/events?device=${encodeURIComponent(id)}`, {
        hello: (hello) => setState((now) => ({ ...now, hello })),
        device: ({ device }) => setState((now) => ({ ...now, isKnown: true, device })),
        turn: (turn) =>
          setState((now) => {
            const others = now.turns.filter((one) => one.id !== turn.id);
            const turns =
              others.length === now.turns.length
                ? [...others, turn]
                : now.turns.map((one) => (one.id === turn.id ? turn : one));
            return { ...now, turns: turns.slice(-maxTurns) };
          }),
        activity: (activity) =>
          setState((now) => ({ ...now, activities: [activity, ...now.activities].slice(0, maxActivities) })),
      }),
    [id],
  );
  return state;
}

/** One device: its state, its turns and events, its profile, and the actions of an operator. */
export function DevicePage({ id }: { readonly id: string }) {
  const { device: words, fleet } = useWords();
  const { isKnown, device, hello, turns, activities } = useDevice(id);
  const now = useNow(1000);
  return (
    <>
      <div class="heading">
        <p class="back">
          <a href="#/fleet">← {words.back}</a>
        </p>
        <h1 class="id">{id}</h1>
        <p role="status">
          {device ? (
            <span class={`dot ${device.state}`}>{fleet.states[device.state]}</span>
          ) : (
            isKnown && <span class="dot closed">{words.offline}</span>
          )}
        </p>
      </div>
      {device ? (
        <dl class="facts">
          <Fact name={fleet.gateway}>{device.gateway}</Fact>
          <Fact name={fleet.since}>{showAge(device.since, now)}</Fact>
          <Fact name={words.remote}>{device.remote}</Fact>
          <Fact name={words.session}>{device.session}</Fact>
        </dl>
      ) : (
        isKnown && <p class="note">{words.unknown}</p>
      )}
      <div class="columns three">
        <section class="card wide" aria-labelledby="turns-title">
          <h2 id="turns-title">{words.timeline}</h2>
          <Timeline turns={turns} traces={hello?.traces} />
          {hello && !hello.transcripts && <p class="note">{words.hidden}</p>}
        </section>
        <div class="stack">
          {device && <AnnouncementForm id={id} />}
          <section class="card" aria-labelledby="activity-title">
            <h2 id="activity-title">{words.activity}</h2>
            {activities.length === 0 && <p class="empty">{words.noActivity}</p>}
            <ul class="activities">
              {activities.map((activity) => (
                <li key={`${activity.at} ${activity.kind}`}>
                  <time>{showTime(activity.at)}</time> <b>{activity.kind}</b> {activity.detail}
                </li>
              ))}
            </ul>
          </section>
          {device && <Disconnect id={id} />}
        </div>
        <ProfileForm id={id} />
      </div>
    </>
  );
}

function Fact(props: { readonly name: string; readonly children: string }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

/** Returns the result of the last action as a sentence, and a function that runs an action. */
function useAction(): [string, (work: () => Promise<unknown>, done: string) => Promise<void>] {
  const { error: words } = useWords();
  const [result, setResult] = useState("");
  const act = async (work: () => Promise<unknown>, done: string) => {
    try {
      await work();
      setResult(done);
    } catch (error) {
      setResult(error instanceof RefusedError ? `${words.failed}: ${error.message}` : words.unreachable);
    }
  };
  return [result, act];
}

function AnnouncementForm({ id }: { readonly id: string }) {
  const { device: words } = useWords();
  const field = useRef<HTMLTextAreaElement>(null);
  const [result, act] = useAction();
  const send = (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim();
    if (!text) return;
    const path = `/api/devices/${encodeURIComponent(id)}/say`;
    void act(async () => {
      await ask(path, { method: "POST", body: { text } });
      if (field.current) field.current.value = "";
    }, words.saySent);
  };
  return (
    <form class="card" onSubmit={send}>
      <h2>{words.say}</h2>
      <label>
        <span>{words.sayLabel}</span>
        <textarea ref={field} rows={2} maxLength={4096} required />
      </label>
      <div class="line end">
        <p role="status">{result}</p>
        <button class="main">{words.saySend}</button>
      </div>
    </form>
  );
}

function Disconnect({ id }: { readonly id: string }) {
  const { device: words } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const [result, act] = useAction();
  const disconnect = () => {
    dialog.current?.close();
    const path = `/api/devices/${encodeURIComponent(id)}/disconnect`;
    void act(() => ask(path, { method: "POST", body: {} }), words.disconnected);
  };
  return (
    <div class="line end">
      <p role="status">{result}</p>
      <button class="danger" onClick={() => dialog.current?.showModal()}>
        {words.disconnect}
      </button>
      <dialog ref={dialog} aria-labelledby="disconnect-ask">
        <p id="disconnect-ask">{words.disconnectAsk}</p>
        <div class="line end">
          <button onClick={() => dialog.current?.close()}>{words.cancel}</button>
          <button class="danger" onClick={disconnect}>
            {words.confirm}
          </button>
        </div>
      </dialog>
    </div>
  );
}
