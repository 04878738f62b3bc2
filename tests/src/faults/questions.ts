import { encodeSpeech, loadSpeech } from "@voxbus/testing";

/** A question of a device: spoken if it has packets, otherwise typed. */
export interface Question {
  readonly text: string;
  readonly packets?: readonly Uint8Array[];
}

/** The questions. Their answers have one to four sentences and are always the same. */
export interface Questions {
  readonly typed: readonly Question[];
  readonly spoken: readonly Question[];
  /** Questions whose answers, of two or three sentences, leave time for a fault in mid-answer. */
  readonly long: readonly Question[];
}

const typed = ["what is 3 plus 4", "what is 20 plus 11", "how are you", "what is 6 times 9", "what is the weather"];
const spoken = [
  { name: "sum", text: "what is seven plus five" },
  { name: "hello", text: "hello there" },
  { name: "sum-rms", text: "what is nine times eight" },
];

/** Encodes the recordings, once for all devices. The short form has fewer questions with shorter answers. */
export function loadQuestions(form: "whole" | "short"): Questions {
  return {
    typed: typed.slice(0, form === "short" ? 2 : undefined).map((text) => ({ text })),
    spoken: spoken.map(({ name, text }) => ({ text, packets: encodeSpeech(loadSpeech(name)) })),
    long: [{ text: form === "short" ? "how are you" : "who are you" }],
  };
}

/** The spoken apologies (docs/bus.md, every turn ends audibly). */
export const apologies: readonly string[] = [
  "I am sorry, I cannot answer right now.",
  "I am sorry, I lost my thread.",
  "I am sorry, I did not understand that.",
  "I did not hear anything.",
  // The hint of the embedded assistant after an unknown phrase.
  "Say help to hear what I know.",
];
