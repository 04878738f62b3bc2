import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ActionButton } from "../shared/action-button.tsx";
import { askJson } from "../shared/api.ts";
import { useResult } from "../shared/result.ts";
import { showCount } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import "./say.css";

/** The times for which an announcement can be kept, as the API takes them. */
const keepTimes = ["10m", "1h", "8h", "1d", "7d"] as const;
type KeepTime = (typeof keepTimes)[number];

/**
 * A form that announces a text on the devices of a route, such as `/api/fleet`, and may keep it for those that are away.
 * `children` are fields above the text.
 */
export function SayForm(props: {
  readonly path: string;
  /** True for a device that is away: the text must be kept. */
  readonly isAway?: boolean;
  /** Called when the text is kept. */
  readonly kept?: () => void;
  readonly children?: ComponentChildren;
}) {
  const { path, isAway = false, kept, children } = props;
  const { say: words } = useWords();
  const [text, setText] = useState("");
  const [chosen, choose] = useState<KeepTime | "">("");
  const keep = isAway ? chosen || "1h" : chosen;
  const result = useResult();
  const send = async () => {
    const query = keep && `?keep=${keep}`;
    const body = { text: text.trim() };
    const { devices } = await askJson<{ readonly devices?: number }>(`${path}/say${query}`, { method: "POST", body });
    setText("");
    if (keep) kept?.();
    if (devices === undefined) return keep ? words.kept : undefined;
    return keep ? words.keptFor(showCount(devices)) : words.sentTo(showCount(devices));
  };
  return (
    <form
      class="announce"
      onInput={result.clear}
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) void result.run(send, words.sent);
      }}
    >
      {children}
      <label>
        <span>{words.label}</span>
        <textarea
          rows={2}
          maxLength={4096}
          required
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </label>
      <div class="line">
        <label>
          <span>{words.keep}</span>
          <select value={keep} onChange={({ currentTarget }) => choose(currentTarget.value as KeepTime | "")}>
            {!isAway && <option value="">{words.notKept}</option>}
            {keepTimes.map((time) => (
              <option key={time} value={time}>
                {words.times[time]}
              </option>
            ))}
          </select>
        </label>
        <ActionButton needs="control" class="main">
          {words.send}
        </ActionButton>
      </div>
      <p role="status">{result.text}</p>
    </form>
  );
}
