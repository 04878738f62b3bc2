import { commonSlots, type Slot, type SlotValue } from "./slot.ts";
import { readWords } from "./words.ts";

/** The names of the faces that a device can show (docs/protocol.md, the `llm` message). */
export const emotions = [
  ...(["neutral", "happy", "laughing", "funny", "sad", "angry", "crying", "loving", "embarrassed"] as const),
  ...(["surprised", "shocked", "thinking", "winking", "cool", "relaxed", "delicious", "kissy"] as const),
  ...(["confident", "sleepy", "silly", "confused"] as const),
] as const;

/** The name of a face. */
export type Emotion = (typeof emotions)[number];

/** The answer of an intent in plain sentences, and the face to show with it. */
export interface Answer {
  readonly text: string;
  readonly emotion?: Emotion;
}

/** The data and the actions that an answer may use. */
export interface IntentContext {
  readonly now: Date;
  /** An IANA time zone, as in "Europe/Berlin". */
  readonly timeZone: string;
  /** A BCP 47 tag, as in "en-US". */
  readonly locale: string;
  readonly slots: Readonly<Record<string, SlotValue>>;
  /** The names of the tools that can be called: the device's own, and those of programs on the bus. */
  readonly tools: readonly string[];
  /** Calls a tool and resolves with its text. Rejects if the call fails. Absent if there are no tools. */
  callTool?: (name: string, args: Readonly<Record<string, unknown>>, signal?: AbortSignal) => Promise<string>;
}

/** One step of a phrase: a word, or a slot with the name under which the answer gets its value. */
export type Step = string | { readonly name: string; readonly slot: Slot };

/** One request that people make: the phrases they use, and the answer. Made by `defineIntent`. */
export interface Intent {
  readonly name: string;
  readonly phrases: readonly string[];
  /** The parsed phrases: options are expanded and slots looked up. */
  readonly paths: readonly (readonly Step[])[];
  /** The parsed phrases that are only understood in typed text. */
  readonly typedPaths: readonly (readonly Step[])[];
  readonly pronunciations: Readonly<Record<string, string>>;
  answer(context: IntentContext, signal?: AbortSignal): string | Answer | Promise<string | Answer>;
}

/** An intent as a team writes it, the argument of `defineIntent`. */
export interface IntentDefinition {
  readonly name: string;
  /**
   * Phrases such as "set [the] volume to {number}" or "what is {left:number} {operator} {right:number}". The part in
   * `[…]` is optional.
   */
  readonly phrases: readonly string[];
  /** Further phrases that are only understood in typed text: a recognizer does not get them. They may have `{words}`, any words. */
  readonly typed?: readonly string[];
  /** The intent's own slots, in addition to {number}, {unit}, {operator} and {words}. */
  readonly slots?: Readonly<Record<string, Slot>>;
  /** CMU phones of words that the recognizer's dictionary lacks, as in `{ voxbus: "V AA K S B AH S" }`. */
  readonly pronunciations?: Readonly<Record<string, string>>;
  answer: Intent["answer"];
}

/** Checks a definition and makes the intent. Throws an error that names a phrase which is empty, malformed or has an unknown slot. */
export function defineIntent(definition: IntentDefinition): Intent {
  const slots = { ...commonSlots, ...definition.slots };
  const parse = (phrase: string) =>
    expandOptions(phrase).map((variant) => {
      const path = parsePath(variant, slots, `intent "${definition.name}", phrase "${phrase}"`);
      if (path.length === 0) throw new Error(`intent "${definition.name}": phrase "${phrase}" has no words`);
      return path;
    });
  const paths = definition.phrases.flatMap(parse);
  for (const step of paths.flat()) {
    if (typeof step === "object" && step.slot.arcs.length === 0)
      throw new Error(
        `intent "${definition.name}": the slot {${step.name}} has no spoken forms; use it in typed phrases`,
      );
  }
  if (paths.length === 0) throw new Error(`intent "${definition.name}" has no phrases`);
  return {
    name: definition.name,
    phrases: definition.phrases,
    paths,
    typedPaths: (definition.typed ?? []).flatMap(parse),
    pronunciations: definition.pronunciations ?? {},
    answer: (context, signal) => definition.answer(context, signal),
  };
}

function expandOptions(phrase: string): string[] {
  const option = /\[([^[\]]*)\]/.exec(phrase);
  if (option === null) return [phrase];
  const before = phrase.slice(0, option.index);
  const after = phrase.slice(option.index + option[0].length);
  return [...expandOptions(`${before}${option[1] ?? ""}${after}`), ...expandOptions(before + after)];
}

function parsePath(phrase: string, slots: Readonly<Record<string, Slot>>, where: string): Step[] {
  return phrase.split(/(\{[^{}]*\})/).flatMap((part): Step[] => {
    if (!part.startsWith("{")) {
      if (/[[\]{}]/.test(part)) throw new Error(`${where}: a bracket is not closed`);
      return readWords(part);
    }
    const [name = "", kind = name] = part.slice(1, -1).split(":");
    const slot = Object.hasOwn(slots, kind) ? slots[kind] : undefined;
    if (slot === undefined) {
      throw new Error(`${where}: unknown slot {${kind}}; known slots are ${Object.keys(slots).join(", ")}`);
    }
    return [{ name, slot }];
  });
}
