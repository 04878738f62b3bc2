import { useEffect, useRef } from "preact/hooks";
import type { ProgramNumbers } from "../../src/live/live.ts";
import { createConversation, type Talk } from "./conversation.ts";
import "./stage.css";
import "./talk.css";
import { timeExchange, waitOf, type Exchange } from "./exchange.ts";
import { Face } from "./face.tsx";
import { hello, numbers } from "../shared/live-state.ts";
import { MicrophoneIcon, PauseIcon, StopIcon } from "../shared/icons.tsx";
import { checkMicrophone } from "./microphone.ts";
import { linkDevice } from "../shared/route.ts";
import { readBrowserId } from "../shared/settings.ts";
import { showMs } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

const device = readBrowserId();
// It outlives this page, so that somebody may look at the fleet while being spoken to.
const conversation = createConversation({ device, doors: () => hello.value?.doors ?? [] });

const tries = [
  "what time is it",
  "tell me a joke",
  "what is seven plus five",
  "turn the light on",
  "tell me a long story",
  "help",
];

const steps = ["heard", "thought", "voiced", "said"] as const;

/** Talk: this browser as a device. */
export function TalkPage() {
  const { talk: words } = useWords();
  const state = conversation.state.value;
  const greeting = hello.value;
  return (
    <>
      <section class="stage" aria-labelledby="talk-title">
        <h1 id="talk-title" class="hidden">
          {words.title}
        </h1>
        <Stage state={state} />
        <Controls state={state} />
        <Troubles state={state} />
        <Typing />
        {greeting?.assistant === "embedded" && <p class="note">{words.embedded}</p>}
      </section>
      <section class="log" aria-labelledby="log-title">
        <h2 id="log-title">{words.log}</h2>
        <Log exchanges={state.exchanges} />
        <p class="note">
          {words.device}: <a href={linkDevice(device)}>{device}</a>
          {state.rtt !== undefined && state.phase !== "off" && <> · {words.rtt(showMs(state.rtt))}</>}
        </p>
      </section>
    </>
  );
}

function Stage({ state }: { state: Talk }) {
  const { talk: words } = useWords();
  const orb = useRef<HTMLDivElement>(null);
  const { lamp } = conversation.room.value;
  useEffect(
    () =>
      conversation.onLevel((microphone, answer) => {
        // Many times a second: past the rendering of components.
        orb.current?.style.setProperty("--input", Math.min(1, microphone * 7).toFixed(3));
        orb.current?.style.setProperty("--level", Math.min(1, answer * 6).toFixed(3));
      }),
    [],
  );
  const emotion = state.phase === "thinking" && state.emotion === "neutral" ? "thinking" : state.emotion;
  return (
    <>
      <div ref={orb} class={`orb ${state.phase} ${lamp ? "lamp" : ""}`}>
        <span class="halo" />
        <span class="ring" />
        <Face emotion={emotion} label={words.face(emotion)} />
      </div>
      <p class="phase" role="status">
        {words.phases[state.phase]}
        {lamp && <span class="lamp-note"> · {words.lampOn}</span>}
      </p>
      <p class={`subtitle ${state.phase === "speaking" ? "" : "past"}`} aria-live="polite">
        {state.subtitle || (state.exchanges.length === 0 ? words.lead : "\u{a0}")}
      </p>
    </>
  );
}

function Controls({ state: { phase, microphone } }: { state: Talk }) {
  const { talk: words } = useWords();
  if (phase === "thinking" || phase === "speaking") {
    return (
      <button class="big stop" onClick={conversation.stop}>
        <StopIcon /> {words.stop}
      </button>
    );
  }
  if (microphone && phase === "listening") {
    return (
      <button class="big hush" onClick={conversation.hush}>
        <PauseIcon /> {words.hush}
      </button>
    );
  }
  return (
    <button class="big" disabled={phase === "connecting"} onClick={() => void conversation.listen()}>
      <MicrophoneIcon /> {phase === "connecting" ? words.connecting : words.start}
    </button>
  );
}

function Troubles({ state: { trouble, audible } }: { state: Talk }) {
  const { talk: words, trouble: names } = useWords();
  const absent = findAbsent(numbers.value?.programs ?? []);
  const shown = trouble ?? checkMicrophone()?.trouble;
  return (
    <div class="troubles" aria-live="assertive">
      {absent.length > 0 && <p class="trouble">{words.absent(absent.join(", "))}</p>}
      {shown && <p class="trouble">{names[shown]}</p>}
      {audible === false && <p class="trouble">{words.noSound}</p>}
    </div>
  );
}

/** The programs of a turn of which none runs; none while the monitor itself is not among those that are known. */
function findAbsent(programs: readonly ProgramNumbers[]): readonly string[] {
  const running = new Set(programs.filter(({ health }) => health !== "lost").map(({ name }) => name));
  return running.has("monitor") ? ["asr", "dialogue", "tts"].filter((name) => !running.has(name)) : [];
}

function Typing() {
  const { talk: words } = useWords();
  const field = useRef<HTMLInputElement>(null);
  const send = (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim();
    if (!text || !field.current) return;
    field.current.value = "";
    void conversation.type(text);
  };
  return (
    <div class="typing">
      <form class="line" onSubmit={send}>
        <label>
          <span class="hidden">{words.typeLabel}</span>
          <input ref={field} type="text" maxLength={500} placeholder={words.typeHint} enterkeyhint="send" />
        </label>
        <button>{words.send}</button>
      </form>
      <ul class="tries" aria-label={words.tries}>
        {tries.map((text) => (
          <li key={text}>
            <button class="chip" lang="en" onClick={() => void conversation.type(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
      <label class="check">
        <input type="checkbox" onChange={({ currentTarget }) => conversation.setInterruptible(currentTarget.checked)} />
        <span>
          {words.interrupt} <small>({words.interruptHint})</small>
        </span>
      </label>
    </div>
  );
}

function Log({ exchanges }: { exchanges: readonly Exchange[] }) {
  const { talk: words } = useWords();
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    if (list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [exchanges]);
  if (exchanges.length === 0) {
    return (
      <>
        <p class="empty">{words.empty}</p>
        <dl class="steps">
          {steps.map((name) => (
            <div key={name}>
              <dt class={`part ${name}`}>{words.parts[name]}</dt>
              <dd>{words.steps[name]}</dd>
            </div>
          ))}
        </dl>
      </>
    );
  }
  return (
    <ol ref={list} class="exchanges">
      {exchanges.map((exchange) => (
        <Turn key={exchange.id} exchange={exchange} />
      ))}
    </ol>
  );
}

function Turn({ exchange }: { exchange: Exchange }) {
  const { talk: words } = useWords();
  const { asked, askedAt, said, alert, stopped } = exchange;
  const parts = timeExchange(exchange);
  const wait = waitOf(exchange);
  return (
    <li class="exchange">
      <p class="question">{asked ?? (askedAt === undefined ? words.announcement : words.unheard)}</p>
      {said.length > 0 && <p class="answer">{said.join(" ")}</p>}
      {alert && <p class="bad">{alert}</p>}
      {(parts.length > 0 || stopped) && (
        <div class="timing">
          <div class="bar" aria-hidden="true">
            {parts.map(({ name, ms }) => (
              <span key={name} class={name} style={{ flexGrow: Math.max(ms, 1) }} />
            ))}
          </div>
          <p>
            {wait !== undefined && <strong>{words.wait(showMs(wait))}</strong>}
            {parts.map(({ name, ms }) => (
              <span key={name} class={`part ${name}`}>
                {words.parts[name]} {showMs(ms)}
              </span>
            ))}
            {stopped && <span>{words.stopped}</span>}
          </p>
        </div>
      )}
    </li>
  );
}
