import { useState } from "preact/hooks";
import { ActionButton } from "../shared/action-button.tsx";
import { ask, askJson } from "../shared/api.ts";
import { devices } from "../shared/live-state.ts";
import { useResult } from "../shared/result.ts";
import { readBrowserId } from "../shared/settings.ts";
import { showTime } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import type { Level } from "./level.ts";

const trialSeconds = 120;
/** The most devices that are offered for a trial. */
const mostOffered = 100;

/** Has one device behave for some minutes as the form of a level says, without saving it. */
export function TryCard(props: { readonly level: Level; readonly readFields: () => object }) {
  const { level, readFields } = props;
  const { character: words } = useWords();
  const browser = readBrowserId();
  const [chosen, choose] = useState(browser);
  const [sentence, setSentence] = useState(words.sample);
  const [running, setRunning] = useState<string>();
  const result = useResult();
  const device = level.source === "device" ? level.device : chosen;
  const path = (id: string) => `/api/profiles/devices/${encodeURIComponent(id)}/trial`;
  const online = devices.value;

  const start = async () => {
    const body = { level: level.source, fields: readFields(), seconds: trialSeconds };
    const { until } = await askJson<{ readonly until: number }>(path(device), { method: "POST", body });
    setRunning(device);
    const text = sentence.trim();
    if (text !== "" && online.has(device))
      await ask(`/api/devices/${encodeURIComponent(device)}/say`, { method: "POST", body: { text } });
    return [words.tried(device, showTime(until)), ...(device === browser ? [words.browser] : [])].join(" ");
  };
  const end = async () => {
    if (running !== undefined) await ask(path(running), { method: "DELETE" });
    setRunning(undefined);
  };

  return (
    <form
      class="card try"
      aria-labelledby="try-title"
      onSubmit={(event) => {
        event.preventDefault();
        void result.run(start, "");
      }}
    >
      <h2 id="try-title">{words.try}</h2>
      <p class="note">{words.tryText}</p>
      <div class="fields">
        {level.source !== "device" && (
          <label>
            <span>{words.tryDevice}</span>
            <input
              value={chosen}
              list="try-devices"
              required
              maxLength={64}
              onInput={({ currentTarget }) => choose(currentTarget.value)}
            />
            <datalist id="try-devices">
              {[browser, ...[...online.keys()].slice(0, mostOffered)].map((id) => (
                <option key={id} value={id} />
              ))}
            </datalist>
          </label>
        )}
        <label class="long">
          <span>{words.trySentence}</span>
          <input value={sentence} maxLength={400} onInput={({ currentTarget }) => setSentence(currentTarget.value)} />
        </label>
      </div>
      <div class="line end">
        <p role="status">{result.text}</p>
        {running !== undefined && (
          <ActionButton needs="control" type="button" onClick={() => void result.run(end, words.ended)}>
            {words.end}
          </ActionButton>
        )}
        <ActionButton needs="control">{words.try}</ActionButton>
      </div>
    </form>
  );
}
