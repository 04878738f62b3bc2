import type { Voicing } from "./audio-front-end.ts";
import { isEcho, readTokens } from "./echo.ts";
import type { Recognized } from "./recognize.ts";

/** The circumstances of an utterance. */
export interface Circumstances {
  readonly voicing: Voicing;
  /** The sentences that the device was speaking meanwhile. */
  readonly said: readonly string[];
}

/** The reason why an utterance is taken for no speech to the device. */
export type Dismissal = (typeof dismissals)[number];
export const dismissals = ["noise", "echo"] as const;

// All measured with the noises and the voices of `npm run test:noise`.
const least = {
  voicedMs: 140,
  /** Added for each further word. */
  wordMs: 60,
  pitchedMs: 100,
  pitchedShare: 0.25,
  confidence: 0.5,
  /** For a few words, and for a single one. Short commands are what noises are taken for. */
  fewWords: 0.56,
  oneWord: 0.57,
  /** Of clear words. The device's own are often mistaken for similar ones. */
  clear: 0.65,
} as const;
const fewWords = 3;
/** Speech without known words has this much voice. More is a conversation in the room. */
const unknown = { leastMs: 500, mostMs: 4000, pitchedShare: 0.6 } as const;

/** Passes an utterance through the gate. Of noise, nothing was heard. Returns what remains of it, and the outcome to count. */
export function passGate(
  recognized: Recognized,
  circumstances: Circumstances,
): { readonly heard: Recognized; readonly outcome: Dismissal | "heard" | NonNullable<Recognized["reason"]> } {
  const dismissal = judgeUtterance(recognized, circumstances);
  if (dismissal === undefined) return { heard: recognized, outcome: recognized.reason ?? "heard" };
  return { heard: { text: "", language: recognized.language, reason: "nothing-heard" }, outcome: dismissal };
}

/**
 * Decides what becomes of an utterance: everything that it causes passes this gate. Its features are the length, the
 * voicing, the confidence of the recognizer (if it has one) and the words. Returns the reason if it is no speech to the
 * device. Then nothing was heard, and nothing follows from it.
 */
export function judgeUtterance(heard: Recognized, { voicing, said }: Circumstances): Dismissal | undefined {
  const { text, reason, confidence } = heard;
  const { voicedMs, pitchedMs } = voicing;
  const share = pitchedMs / Math.max(1, voicedMs);
  if (reason === "unrecognized") {
    const isSpeech = voicedMs >= unknown.leastMs && voicedMs <= unknown.mostMs && share >= unknown.pitchedShare;
    // A device that speaks hears itself. Only words interrupt it.
    return isSpeech && said.length === 0 ? undefined : "noise";
  }
  if (text === "") return undefined;
  const words = readTokens(text);
  if (isEcho(words, said, confidence !== undefined && confidence < least.clear ? "unclear" : "clear")) return "echo";
  const isShort = words.length <= fewWords;
  const needed = words.length === 1 ? least.oneWord : isShort ? least.fewWords : least.confidence;
  const features = [
    voicedMs >= least.voicedMs + least.wordMs * (words.length - 1),
    pitchedMs >= least.pitchedMs && share >= least.pitchedShare,
  ];
  if (confidence !== undefined) features.push(confidence >= needed);
  const against = features.filter((agrees) => !agrees).length;
  return against > (isShort || said.length > 0 ? 0 : 1) ? "noise" : undefined;
}
