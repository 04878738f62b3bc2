import type { ProgramNumbers } from "../../src/live/live.ts";
import { numbers } from "../shared/live-state.ts";
import { useWords } from "../shared/words.ts";
import type { Conversation } from "./conversation.ts";
import { checkMicrophone } from "./microphone.ts";

/** Everything that prevents talking now, a sentence for each. */
export function Notices({ conversation }: { readonly conversation: Conversation }) {
  const { talk: words, talkErrors } = useWords();
  const missing = findMissing(numbers.value?.programs ?? []);
  const error = conversation.error.value ?? checkMicrophone();
  return (
    <div class="notices" aria-live="assertive">
      {missing.length > 0 && <p class="notice">{words.missing(missing.join(", "))}</p>}
      {error && <p class="notice">{talkErrors[error]}</p>}
      {conversation.unsent.value && conversation.draft.value && <p class="notice">{words.unsent}</p>}
      {conversation.isAudible.value === false && <p class="notice">{words.noSound}</p>}
    </div>
  );
}

/** Returns the programs that an answer needs and that do not run. Until the list of programs is complete it is empty. */
function findMissing(programs: readonly ProgramNumbers[]): readonly string[] {
  const running = new Set(programs.filter(({ health }) => health !== "lost").map(({ name }) => name));
  return running.has("monitor") ? ["asr", "dialogue", "tts"].filter((name) => !running.has(name)) : [];
}
