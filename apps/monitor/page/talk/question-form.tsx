import { useWords } from "../shared/words.ts";
import type { Conversation } from "./conversation.ts";

/** Phrases that the built-in assistant answers. */
const examples = [
  "what time is it",
  "tell me a joke",
  "what is seven plus five",
  "turn the light on",
  "tell me a long story",
  "help",
];

/** A field for typed questions, with examples, and the choice whether speech interrupts an answer. */
export function QuestionForm({ conversation }: { readonly conversation: Conversation }) {
  const { talk: words } = useWords();
  const { draft } = conversation;
  // An example would take the place of a question that waits for the connection.
  const { value: phase } = conversation.phase;
  const isConnecting = phase === "connecting" || phase === "activating";
  const send = (event: Event) => {
    event.preventDefault();
    const text = draft.value.trim();
    if (text) void conversation.ask(text);
  };
  return (
    <div class="typing">
      <form class="line" onSubmit={send}>
        <label>
          <span class="hidden">{words.typeLabel}</span>
          <input
            type="text"
            maxLength={500}
            placeholder={words.typeHint}
            enterkeyhint="send"
            value={draft.value}
            onInput={({ currentTarget }) => (draft.value = currentTarget.value)}
          />
        </label>
        <button>{words.send}</button>
      </form>
      <ul class="examples" aria-label={words.examples}>
        {examples.map((text) => (
          <li key={text}>
            <button class="chip" lang="en" disabled={isConnecting} onClick={() => void conversation.ask(text)}>
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
