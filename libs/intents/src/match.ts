import type { Intent, Step } from "./intent.ts";
import type { SlotValue } from "./slot.ts";
import { readWords } from "./words.ts";

/** An intent that fits, and what its slots were filled with. */
export type Match = { readonly intent: Intent; readonly slots: Readonly<Record<string, SlotValue>> };

/** The first intent of the table that says exactly this, heard or typed: case, punctuation, digits and contractions do not matter. */
export function matchIntent(intents: readonly Intent[], text: string): Match | undefined {
  const words = readWords(text);
  for (const intent of intents) {
    for (const path of intent.paths) {
      const slots = fillPath(path, words, 0);
      if (slots !== undefined) return { intent, slots };
    }
  }
  return undefined;
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
