import { useRef } from "preact/hooks";
import { chooseToken, token } from "./settings.ts";
import { useWords } from "./words.ts";

/** A form that asks for the operator's token. */
export function TokenForm() {
  const { token: words } = useWords();
  const tried = token.value;
  const field = useRef<HTMLInputElement>(null);
  const send = (event: Event) => {
    event.preventDefault();
    const value = field.current?.value.trim() ?? "";
    // Entering the same token again must try again: the monitor may have been restarted with it.
    chooseToken("");
    chooseToken(value);
  };
  return (
    <form class="card token" onSubmit={send}>
      <h2>{words.title}</h2>
      <p>{words.text}</p>
      {tried && (
        <p class="bad" role="alert">
          {words.wrong}
        </p>
      )}
      <div class="line">
        <label>
          <span class="hidden">{words.label}</span>
          <input ref={field} type="password" autocomplete="off" required placeholder={words.label} />
        </label>
        <button class="main">{words.send}</button>
      </div>
    </form>
  );
}
