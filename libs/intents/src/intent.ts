import { commonSlots, type Slot, type SlotValue } from "./slot.ts";
import { readWords } from "./words.ts";

/** The faces a device knows, by name (docs/protocol.md, the `llm` message). */
export const emotions = [
  ...(["neutral", "happy", "laughing", "funny", "sad", "angry", "crying", "loving", "embarrassed"] as const),
  ...(["surprised", "shocked", "thinking", "winking", "cool", "relaxed", "delicious", "kissy"] as const),
  ...(["confident", "sleepy", "silly", "confused"] as const),
] as const;

/** The name of a face. */
export type Emotion = (typeof emotions)[number];

/** What an intent's answer says, in plain sentences, and the face that goes with it. */
export type Answer = { readonly text: string; readonly emotion?: Emotion };

/** What an answer may know and do. */
export type IntentContext = {
  readonly now: Date;
  /** An IANA time zone, as in "Europe/Berlin". */
  readonly timeZone: string;
  /** A BCP 47 tag, as in "en-US". */
  readonly locale: string;
  readonly slots: Readonly<Record<string, SlotValue>>;
  /** What the device said it can do in its hello. */
  readonly features: Readonly<Record<string, unknown>>;
  /** The names of the device's own tools; empty when it has none. */
  readonly tools: readonly string[];
  /** Calls a tool of the device and gives its text. Absent when the device has no tools; rejects when the call fails. */
  callTool?: (name: string, args: Readonly<Record<string, unknown>>, signal?: AbortSignal) => Promise<string>;
  /** Has `announcement` spoken in `ms`. Absent where nothing can be announced. */
  schedule?: (ms: number, announcement: string) => void | Promise<void>;
  /** Drops what was scheduled for this device and gives its count. */
  cancelScheduled?: () => number | Promise<number>;
};

/** One step of a phrase: a word, or a slot under the name its value is given to the answer. */
export type Step = string | { readonly name: string; readonly slot: Slot };

/** One thing people ask for: how they say it, and what is answered. Made by `defineIntent`. */
export type Intent = {
  readonly name: string;
  readonly phrases: readonly string[];
  /** The phrases, read: options resolved, slots looked up. */
  readonly paths: readonly (readonly Step[])[];
  readonly pronunciations: Readonly<Record<string, string>>;
  answer(context: IntentContext, signal?: AbortSignal): string | Answer | Promise<string | Answer>;
};

/** An intent as a team writes it. */
export type IntentDefinition = {
  readonly name: string;
  /** As in "set [the] volume to {number}" or "what is {left:number} {operator} {right:number}": `[…]` may be left out. */
  readonly phrases: readonly string[];
  /** Slots of its own, beside {number}, {unit} and {operator}. */
  readonly slots?: Readonly<Record<string, Slot>>;
  /** CMU phones of words that the recogniser's dictionary lacks, as in `{ voxbus: "V AA K S B AH S" }`. */
  readonly pronunciations?: Readonly<Record<string, string>>;
  answer: Intent["answer"];
};

/** Checks a definition and makes the intent; throws naming a phrase that is empty, malformed or uses an unknown slot. */
export function defineIntent(definition: IntentDefinition): Intent {
  const slots = { ...commonSlots, ...definition.slots };
  const paths = definition.phrases.flatMap((phrase) =>
    dropOptions(phrase).map((variant) => {
      const path = readPath(variant, slots, `intent "${definition.name}", phrase "${phrase}"`);
      if (path.length === 0) throw new Error(`intent "${definition.name}": phrase "${phrase}" has no words`);
      return path;
    }),
  );
  if (paths.length === 0) throw new Error(`intent "${definition.name}" has no phrases`);
  return {
    name: definition.name,
    phrases: definition.phrases,
    paths,
    pronunciations: definition.pronunciations ?? {},
    answer: (context, signal) => definition.answer(context, signal),
  };
}

function dropOptions(phrase: string): string[] {
  const option = /\[([^[\]]*)\]/.exec(phrase);
  if (option === null) return [phrase];
  const before = phrase.slice(0, option.index);
  const after = phrase.slice(option.index + option[0].length);
  return [...dropOptions(`${before}${option[1] ?? ""}${after}`), ...dropOptions(before + after)];
}

function readPath(phrase: string, slots: Readonly<Record<string, Slot>>, where: string): Step[] {
  return phrase.split(/(\{[^{}]*\})/).flatMap((part): Step[] => {
    if (!part.startsWith("{")) {
      if (/[[\]{}]/.test(part)) throw new Error(`${where}: a bracket is not closed`);
      return readWords(part);
    }
    const [name = "", kind = name] = part.slice(1, -1).split(":");
    const slot = slots[kind];
    if (slot === undefined) {
      throw new Error(`${where}: unknown slot {${kind}}; known are ${Object.keys(slots).join(", ")}`);
    }
    return [{ name, slot }];
  });
}
