import type { Intent } from "./intent.ts";
import type { Slot } from "./slot.ts";
import { spokenForms } from "./words.ts";

/** The input that a recognizer needs in order to recognize a table of intents. */
export interface Grammar {
  /** A finite-state grammar in PocketSphinx' FSG format. */
  readonly fsg: string;
  /** Every word of the grammar once, including those of the garbage loop. */
  readonly words: readonly string[];
  /** CMU phones of the words that the dictionary lacks: the garbage words and those defined by intents. */
  readonly pronunciations: Readonly<Record<string, string>>;
}

const phones =
  "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split(" ");

// Measured with three synthetic voices, 40 phrases and 20 other sentences each. At 1 the loop swallows a fifth of the
// phrases. At 1/39 every tenth other sentence is taken for a phrase. At 0.1 to 0.2 at most one of 60 is.
const loopProbability = 0.15;

/** The prefix of garbage words. A text that contains one was not a phrase of the table. */
export const garbagePrefix = "zz";

interface Node {
  readonly state: number;
  end: boolean;
  readonly next: Map<string | Slot, Node>;
}

/**
 * Makes the grammar of a table: a prefix tree over its phrases, in which each slot is a small network. A loop over single
 * phones can be entered from every node with probability `garbage` (default 1e-4), so that other speech is recognized as
 * garbage instead of as the nearest phrase. 0 leaves the loop out.
 */
export function createGrammar(intents: readonly Intent[], options: { readonly garbage?: number } = {}): Grammar {
  const { garbage = 1e-4 } = options;
  const [start, final, garbageEntry, garbageLoop] = [0, 1, 2, 3];
  let states = 4;
  const words = new Set<string>();
  const transitions: string[] = [];
  const visited = new Set<number>([start]);
  const connect = (from: number, to: number, word?: string, probability = 1) => {
    if (word !== undefined) words.add(word);
    transitions.push(`TRANSITION ${from} ${to} ${probability}${word === undefined ? "" : ` ${word}`}`);
  };

  const createNode = (state: number): Node => {
    visited.add(state);
    return { state, end: false, next: new Map() };
  };
  const enterSlot = (slot: Slot, from: number, to: number) => {
    const local = new Map([
      [0, from],
      [1, to],
    ]);
    const place = (state: number) => {
      const placed = local.get(state) ?? states++;
      local.set(state, placed);
      visited.add(placed);
      return placed;
    };
    for (const [a, b, word] of slot.arcs) connect(place(a), place(b), word);
  };

  const root = createNode(start);
  for (const path of intents.flatMap((intent) => intent.paths.flatMap((steps) => spokenForms(steps)))) {
    let node = root;
    for (const step of path) {
      const key = typeof step === "string" ? step : step.slot;
      let next = node.next.get(key);
      if (next === undefined) {
        next = createNode(states++);
        node.next.set(key, next);
        if (typeof key === "string") connect(node.state, next.state, key);
        else enterSlot(key, node.state, next.state);
      }
      node = next;
    }
    if (!node.end) connect(node.state, final);
    node.end = true;
  }

  const pronunciations: Record<string, string> = {};
  for (const intent of intents) Object.assign(pronunciations, intent.pronunciations);
  if (garbage > 0) {
    for (const state of visited) connect(state, garbageEntry, undefined, garbage);
    for (const phone of phones) {
      const word = garbagePrefix + phone.toLowerCase();
      pronunciations[word] = phone;
      connect(garbageEntry, garbageLoop, word, loopProbability);
      connect(garbageLoop, garbageLoop, word, loopProbability);
    }
    connect(garbageLoop, final);
  }
  const header = ["FSG_BEGIN voxbus", `NUM_STATES ${states}`, `START_STATE ${start}`, `FINAL_STATE ${final}`];
  return { fsg: [...header, ...transitions, "FSG_END", ""].join("\n"), words: [...words], pronunciations };
}

/**
 * Throws an error that names every word without a pronunciation. A recognizer has no rules from letters to sounds and
 * refuses a grammar with an unknown word.
 */
export function assertPronounceable(words: readonly string[], lookup: (word: string) => string | undefined): void {
  const missing = words.filter((word) => !lookup(word));
  if (missing.length > 0) {
    throw new Error(
      `no pronunciation for ${missing.map((word) => `"${word}"`).join(", ")}: ` +
        "add it to the intent's `pronunciations` (CMU phones), or use other words in the phrase",
    );
  }
}
