import type { Activity } from "../../src/live/live.ts";
import { showAge, showTime, showWord, useNow } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { AnnouncementForm, Disconnect } from "./device-actions.tsx";
import { useDevice } from "./device-state.ts";
import { ProfileForm } from "./profile-form.tsx";
import { Timeline } from "./timeline.tsx";
import "./device.css";

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
          <Activities activities={activities} />
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

function Activities({ activities }: { readonly activities: readonly Activity[] }) {
  const { device: words, fleet } = useWords();
  return (
    <section class="card" aria-labelledby="activity-title">
      <h2 id="activity-title">{words.activity}</h2>
      {activities.length === 0 && <p class="empty">{words.noActivity}</p>}
      <ul class="activities">
        {activities.map((activity) => (
          <li key={`${activity.at} ${activity.kind}`}>
            <time>{showTime(activity.at)}</time> <b>{showWord(words.activities, activity.kind)}</b>{" "}
            {showWord({ ...fleet.states, ...words.modes }, activity.detail)}
          </li>
        ))}
      </ul>
    </section>
  );
}
