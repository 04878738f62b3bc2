import { ActionButton } from "../shared/action-button.tsx";
import { askJson } from "../shared/api.ts";
import { waiting } from "../shared/live-state.ts";
import { useResult } from "../shared/result.ts";
import { showAge, useNow } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

const shownAtOnce = 10;

/** The devices that wait for an operator, and the form that lets one in by its code. Nothing if none waits. */
export function WaitingCard({ groups }: { readonly groups: readonly string[] }) {
  const { activation: words } = useWords();
  const now = useNow(1000);
  const all = waiting.value;
  if (all.length === 0) return null;
  return (
    <section class="card waiting" aria-labelledby="waiting-title">
      <h2 id="waiting-title">{words.title(String(all.length))}</h2>
      <CodeForm groups={groups} />
      <ul>
        {all.slice(0, shownAtOnce).map(({ id, at, remote, board, firmware }) => (
          <li key={`${id} ${at}`}>
            <b class="id">{id}</b>{" "}
            <span class="note">{[board, firmware, remote, showAge(at, now)].filter(Boolean).join(" · ")}</span>
          </li>
        ))}
      </ul>
      {all.length > shownAtOnce && <p class="note">{words.more(String(all.length - shownAtOnce))}</p>}
    </section>
  );
}

function CodeForm({ groups }: { readonly groups: readonly string[] }) {
  const { activation: words, fleet } = useWords();
  const result = useResult();
  const activate = (event: SubmitEvent) => {
    event.preventDefault();
    const element = event.currentTarget as HTMLFormElement;
    const form = new FormData(element);
    // A field that is left empty changes nothing.
    const body = Object.fromEntries([...form].filter(([, value]) => value !== ""));
    void result.run(async () => {
      const { device } = await askJson<{ readonly device: string }>("/api/activations", { method: "POST", body });
      element.reset();
      return words.done(device);
    }, "");
  };
  return (
    <form class="line" onSubmit={activate} onInput={result.clear}>
      <label>
        <span>{words.code}</span>
        <input
          name="code"
          required
          inputMode="numeric"
          autocomplete="off"
          pattern="[0-9]{3}[ \-]?[0-9]{3}"
          placeholder="123456"
        />
      </label>
      <label>
        <span>{fleet.name}</span>
        <input name="name" maxLength={64} />
      </label>
      <label>
        <span>{fleet.group}</span>
        <input name="group" maxLength={64} pattern="[A-Za-z0-9_\-]*" list="waiting-groups" />
        <datalist id="waiting-groups">
          {groups.map((group) => (
            <option key={group} value={group} />
          ))}
        </datalist>
      </label>
      <ActionButton needs="control" class="main">
        {words.letIn}
      </ActionButton>
      <p role="status">{result.text}</p>
    </form>
  );
}
