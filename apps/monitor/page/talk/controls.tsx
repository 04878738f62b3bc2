import { MicrophoneIcon, PauseIcon, StopIcon } from "../shared/icons.tsx";
import { useWords } from "../shared/words.ts";
import type { Conversation } from "./conversation.ts";

/** The button for what the user can do next: talk, pause the microphone, or stop the answer. */
export function Controls({ conversation }: { readonly conversation: Conversation }) {
  const { talk: words, device } = useWords();
  const phase = conversation.phase.value;
  if (phase === "thinking" || phase === "speaking") {
    return (
      <button class="big stop" onClick={() => conversation.stop()}>
        <StopIcon /> {words.stop}
      </button>
    );
  }
  if (phase === "listening") {
    return (
      <button class="big pause" onClick={() => conversation.pause()}>
        <PauseIcon /> {words.pause}
      </button>
    );
  }
  if (phase === "activating") {
    return (
      <button class="big pause" onClick={() => conversation.giveUp()}>
        <StopIcon /> {device.cancel}
      </button>
    );
  }
  return (
    <button class="big" disabled={phase === "connecting"} onClick={() => void conversation.listen()}>
      <MicrophoneIcon /> {phase === "connecting" ? words.connecting : words.start}
    </button>
  );
}
