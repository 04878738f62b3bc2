import type { Intent, Step } from "./intent.ts";
import type { SlotValue } from "./slot.ts";
import { readWords } from "./words.ts";

/** An intent that fits a text, and the values of its slots. */
export interface Match {
  readonly intent: Intent;
  readonly slots: Readonly<Record<string, SlotValue>>;
}

/**
 * Finds the first intent of the table with a phrase that equals the text, heard or typed. Case and punctuation do not
 * matter, digits equal number words, and contractions equal their long form. Phrases that can be heard go before others.
 */
export function matchIntent(intents: readonly Intent[], text: string): Match | undefined {
  const words = readWords(text);
  return findMatch(intents, words, "paths") ?? findMatch(intents, words, "typedPaths");
}

/** Tells whether a heard text is a whole phrase of the table, only the beginning of one, or neither. */
export function judgePhrase(intents: readonly Intent[], text: string): "whole" | "begun" | "unknown" {
  const words = readWords(text);
  if (findMatch(intents, words, "paths")) return "whole";
  const isBegun = words.length > 0 && intents.some(({ paths }) => paths.some((path) => beginsPath(path, words, 0)));
  return isBegun ? "begun" : "unknown";
}

function findMatch(
  intents: readonly Intent[],
  words: readonly string[],
  kind: "paths" | "typedPaths",
): Match | undefined {
  for (const intent of intents) {
    for (const path of intent[kind]) {
      const slots = fillPath(path, words, 0);
      if (slots !== undefined) return { intent, slots };
    }
  }
  return undefined;
}

function beginsPath([step, ...rest]: readonly Step[], words: readonly string[], at: number): boolean {
  if (step === undefined) return false;
  if (at === words.length) return true;
  if (typeof step === "string") return words[at] === step && beginsPath(rest, words, at + 1);
  return step.slot.read(words, at).some(({ length }) => beginsPath(rest, words, at + length));
}

function fillPath(path: readonly Step[], words: readonly string[], at: number): Record<string, SlotValue> | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return at === words.length ? {} : undefined;
  if (typeof step === "string") return words[at] === step ? fillPath(rest, words, at + 1) : undefined;
  for (const { value, length } of step.slot.read(words, at)) {
    const slots = fillPath(rest, words, at + length);
    if (slots !== undefined) return { [step.name]: value, ...slots };
  }
  return undefined;
}
