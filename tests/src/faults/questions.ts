import { encodeSpeech, loadSpeech } from "@voxbus/testing";

/** Something that devices ask; typed, or spoken where there is a recording of it. */
export interface Question {
  readonly text: string;
  readonly packets?: readonly Uint8Array[];
}

/** What is asked: answers of one to four sentences, each of which is the same whenever it is asked. */
export interface Questions {
  readonly typed: readonly Question[];
  readonly spoken: readonly Question[];
  /** Whose answer, of two or three sentences, takes long enough for something to happen in its middle. */
  readonly long: readonly Question[];
}

const typed = ["what is 3 plus 4", "what is 20 plus 11", "how are you", "what is 6 times 9", "what is the weather"];
const spoken = [
  { name: "sum", text: "what is seven plus five" },
  { name: "hello", text: "hello there" },
  { name: "sum-rms", text: "what is nine times eight" },
];

/** Encodes the recordings, once for all devices. The short form asks less, and what is answered sooner. */
export function loadQuestions(form: "whole" | "short"): Questions {
  return {
    typed: typed.slice(0, form === "short" ? 2 : undefined).map((text) => ({ text })),
    spoken: spoken.map(({ name, text }) => ({ text, packets: encodeSpeech(loadSpeech(name)) })),
    long: [{ text: form === "short" ? "how are you" : "who are you" }],
  };
}

/** Everything that an apology may say aloud instead of an answer (docs/bus.md, every turn ends audibly). */
export const apologies: readonly string[] = [
  "I am sorry, I cannot answer right now.",
  "I am sorry, I lost my thread.",
  "I am sorry, I did not understand that.",
  "I did not hear anything.",
  // What the embedded assistant adds to what it did not understand.
  "Say help to hear what I know.",
];
