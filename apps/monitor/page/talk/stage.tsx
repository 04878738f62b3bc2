import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { useWords } from "../shared/words.ts";
import type { Conversation } from "./conversation.ts";
import { Face } from "./face.tsx";
import "./stage.css";

/** The device's face, with the state of the conversation and the sentence that is spoken. */
export function Stage({ conversation }: { readonly conversation: Conversation }) {
  const { talk: words } = useWords();
  const orb = useRef<HTMLDivElement>(null);
  const phase = conversation.phase.value;
  const emotion = conversation.emotion.value;
  const shownEmotion = phase === "thinking" && emotion === "neutral" ? "thinking" : emotion;
  const isLampOn = conversation.lamp.value;
  const lead = conversation.exchanges.value.length === 0 ? words.lead : "\u{a0}";
  // Levels change too often to render the component each time.
  useSignalEffect(() => {
    orb.current?.style.setProperty("--input", Math.min(1, conversation.microphoneLevel.value * 7).toFixed(3));
    orb.current?.style.setProperty("--level", Math.min(1, conversation.speakerLevel.value * 6).toFixed(3));
  });
  return (
    <>
      <div ref={orb} class={`orb ${phase} ${isLampOn ? "lamp" : ""}`}>
        <span class="halo" />
        <span class="ring" />
        <Face emotion={shownEmotion} label={words.face(shownEmotion)} />
      </div>
      <p class="phase" role="status">
        {words.phases[phase]}
        {isLampOn && <span class="lamp-note"> · {words.lampOn}</span>}
      </p>
      <p class={`subtitle ${phase === "speaking" ? "" : "past"}`} aria-live="polite">
        {conversation.subtitle.value || lead}
      </p>
    </>
  );
}
