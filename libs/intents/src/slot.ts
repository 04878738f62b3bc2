import { readWords } from "./words.ts";

/** The value of a slot. */
export type SlotValue = string | number;

/** One arc of a slot's network: from state, to state (0 is the entry, 1 the exit), and its word. An arc without a word is free. */
export type SlotArc = readonly [from: number, to: number, word?: string];

/** A blank in a phrase: the network of its spoken forms for a recognizer, and a reader that turns words into a value. */
export interface Slot {
  readonly arcs: readonly SlotArc[];
  /** Gives every value that can be read from `words` at `at`, with its number of words, the longest first. */
  read(words: readonly string[], at: number): readonly { readonly value: SlotValue; readonly length: number }[];
}

/** Creates a slot from spoken forms and their values, as in `{ "living room": "living room", lounge: "living room" }`. */
export function createChoiceSlot(choices: Readonly<Record<string, SlotValue>>): Slot {
  const entries = Object.entries(choices)
    .map(([spoken, value]) => ({ words: readWords(spoken), value }))
    .sort((a, b) => b.words.length - a.words.length);
  const states = new Map<string, number>([["", 0]]);
  const arcs: SlotArc[] = [];
  let next = 2;
  // Choices that begin with the same words share the states of these words.
  for (const { words } of entries) {
    for (const [i, word] of words.entries()) {
      const from = states.get(words.slice(0, i).join(" ")) ?? 0;
      const path = words.slice(0, i + 1).join(" ");
      if (i === words.length - 1) arcs.push([from, 1, word]);
      else if (!states.has(path)) {
        states.set(path, next);
        arcs.push([from, next++, word]);
      }
    }
  }
  return {
    arcs,
    read: (words, at) =>
      entries
        .filter((entry) => entry.words.every((word, i) => words[at + i] === word))
        .map(({ words: { length }, value }) => ({ value, length })),
  };
}

const units = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const small = [
  "zero",
  ...units,
  ..."ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(" "),
];
const tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/** A number: 0 to 100 in words, or any in digits. Its network is factored (tens, then units): 40 arcs, not 101 phrases. */
const number: Slot = {
  arcs: [
    ...small.map((word): SlotArc => [0, 1, word]),
    ...tens.map((word): SlotArc => [0, 2, word]),
    [2, 1],
    ...units.map((word): SlotArc => [2, 1, word]),
    [0, 3, "one"],
    [0, 3, "a"],
    [3, 1, "hundred"],
  ],
  read(words, at) {
    const word = words[at] ?? "";
    const next = words[at + 1] ?? "";
    if (/^\d/.test(word)) return [{ value: Number(word), length: 1 }];
    if ((word === "one" || word === "a") && next === "hundred") {
      return [{ value: 100, length: 2 }, ...(word === "one" ? [{ value: 1, length: 1 }] : [])];
    }
    if (small.includes(word)) return [{ value: small.indexOf(word), length: 1 }];
    if (!tens.includes(word)) return [];
    const value = (tens.indexOf(word) + 2) * 10;
    const unit = units.indexOf(next) + 1;
    return [...(unit > 0 ? [{ value: value + unit, length: 2 }] : []), { value, length: 1 }];
  },
};

const mostWords = 8;

/** Any one to eight words, of typed text only. */
const words: Slot = {
  arcs: [],
  read: (all, at) => {
    const most = Math.min(mostWords, all.length - at);
    return Array.from({ length: Math.max(0, most) }, (_, less) => {
      const length = most - less;
      return { value: all.slice(at, at + length).join(" "), length };
    });
  },
};

/**
 * The slots that every phrase may use: `{number}`, `{unit}` (second, minute, hour), `{operator}` (+ - * /), and in typed phrases
 * `{words}`.
 */
export const commonSlots: Readonly<Record<string, Slot>> = {
  number,
  words,
  unit: createChoiceSlot({
    second: "second",
    seconds: "second",
    minute: "minute",
    minutes: "minute",
    hour: "hour",
    hours: "hour",
  }),
  operator: createChoiceSlot({ plus: "+", minus: "-", times: "*", "multiplied by": "*", "divided by": "/" }),
};
