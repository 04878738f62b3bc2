import { useEffect, useState } from "preact/hooks";
import { askJson, RefusedError } from "../shared/api.ts";
import { token } from "../shared/settings.ts";
import { showDay } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

/** A kept announcement and its state (docs/api.md, announcements). Times are ms since the epoch. */
interface Kept {
  readonly id: string;
  readonly state: "waiting" | "told" | "expired";
  readonly at: number;
  readonly expiresAt: number;
  readonly endedAt?: number;
  readonly tries: number;
}

/** The time after which those that wait are read again, ms. */
const againMs = 5000;

/** The announcements that wait for a device, and those that ended last. It reads them again with each new `turn`. */
export function KeptCard({ id, turn }: { readonly id: string; readonly turn: number }) {
  const { say: words } = useWords();
  const currentToken = token.value;
  const [all, setAll] = useState<readonly Kept[]>([]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const left = new AbortController();
    const read = async () => {
      let isWaiting = true;
      try {
        const path = `/api/devices/${encodeURIComponent(id)}/messages`;
        const { messages } = await askJson<{ messages: readonly Kept[] }>(path, { signal: left.signal });
        setAll(messages.toReversed());
        isWaiting = messages.some(({ state }) => state === "waiting");
      } catch (error) {
        if (!left.signal.aborted) console.info("kept announcements not read", error);
        // Until another token is set, the answer stays the same.
        if (error instanceof RefusedError && [401, 403].includes(error.status)) isWaiting = false;
      }
      if (isWaiting && !left.signal.aborted) timer = setTimeout(() => void read(), againMs);
    };
    void read();
    return () => {
      left.abort();
      clearTimeout(timer);
    };
  }, [id, turn, currentToken]);
  if (all.length === 0) return null;
  return (
    <section class="card kept" aria-labelledby="kept-title">
      <h2 id="kept-title">{words.keptTitle}</h2>
      <ul>
        {all.map(({ id: message, state, at, expiresAt, endedAt = expiresAt, tries }) => (
          <li key={message}>
            <time dateTime={new Date(at).toISOString()}>{showDay(at)}</time>
            <b class={state === "expired" ? "bad" : ""}>{words.states[state]}</b>
            <small>
              {state === "waiting" ? words.until(showDay(expiresAt)) : showDay(endedAt)}
              {state === "waiting" && tries > 0 && ` · ${words.tries(tries)}`}
            </small>
          </li>
        ))}
      </ul>
    </section>
  );
}
