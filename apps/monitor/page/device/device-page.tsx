import { useState } from "preact/hooks";
import type { Activity } from "../../src/live/live.ts";
import { known } from "../shared/live-state.ts";
import { showAge, showTime, showWord, useNow } from "../shared/show.ts";
import { StateDot } from "../shared/state-dot.tsx";
import { useWords } from "../shared/words.ts";
import { KeptCard } from "../say/kept-card.tsx";
import { SayForm } from "../say/say-form.tsx";
import { ToolsCard } from "../tools/tools-card.tsx";
import { CharacterCard } from "../character/character-card.tsx";
import { Disconnect } from "./device-actions.tsx";
import { useDevice } from "./device-state.ts";
import { Timeline } from "./timeline.tsx";
import "./device.css";

/** One device: its state, its turns and events, its profile, and the actions of an operator. */
export function DevicePage({ id }: { readonly id: string }) {
  const { device: words, fleet } = useWords();
  const { isKnown, device, hello, turns, activities } = useDevice(id);
  const now = useNow(1000);
  const entry = known.value.get(id);
  const name = entry?.name;
  return (
    <>
      <div class="heading">
        <p class="back">
          <a href="#/fleet">← {words.back}</a>
        </p>
        <h1 class="id">{name ?? id}</h1>
        {name !== undefined && <p>{id}</p>}
        <p role="status">{(device ?? isKnown) && <StateDot device={{ id, known: entry, online: device }} />}</p>
      </div>
      <dl class="facts">
        {device && (
          <>
            <Fact name={fleet.gateway}>{device.gateway}</Fact>
            <Fact name={fleet.since}>{showAge(device.since, now)}</Fact>
            <Fact name={words.remote}>{device.remote}</Fact>
            <Fact name={words.session}>{device.session}</Fact>
          </>
        )}
        <FirmwareFacts id={id} />
      </dl>
      {!device && isKnown && <p class="note">{words.unknown}</p>}
      <div class="columns three">
        <section class="card wide" aria-labelledby="turns-title">
          <h2 id="turns-title">{words.timeline}</h2>
          <Timeline turns={turns} traces={hello?.traces} />
          {hello && !hello.transcripts && <p class="note">{words.hidden}</p>}
        </section>
        <div class="stack">
          {isKnown && <Announcements id={id} isAway={!device} />}
          {device?.tools && <ToolsCard key={device.session} id={id} />}
          <Activities activities={activities} />
          {device && <Disconnect id={id} />}
        </div>
        <CharacterCard level={{ source: "device", device: id }} />
      </div>
    </>
  );
}

function Announcements({ id, isAway }: { readonly id: string; readonly isAway: boolean }) {
  const { say: words } = useWords();
  const [kept, setKept] = useState(0);
  return (
    <>
      <section class="card" aria-labelledby="say-title">
        <h2 id="say-title">{words.title}</h2>
        <SayForm
          path={`/api/devices/${encodeURIComponent(id)}`}
          isAway={isAway}
          kept={() => setKept((count) => count + 1)}
        />
      </section>
      <KeptCard id={id} turn={kept} />
    </>
  );
}

/** The board and the version of a device, and the update that it has yet to install. */
function FirmwareFacts({ id }: { readonly id: string }) {
  const { device: words, fleet } = useWords();
  const device = known.value.get(id);
  if (device === undefined) return null;
  const { board, firmware, update } = device;
  return (
    <>
      {board && <Fact name={fleet.board}>{board}</Fact>}
      {firmware && <Fact name={fleet.firmware}>{firmware}</Fact>}
      {update && update.version !== firmware && (
        <Fact name={words.update}>{`${update.version}, ${words.updateStates[update.state](update.percent)}`}</Fact>
      )}
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
