import { makeSpeakable, type Speakable } from "./speakable.ts";

/** A sentence of a text that is still being written: in its written form, and in its spoken form. */
export interface Sentence extends Speakable {
  readonly written: string;
}

/** Cuts a stream of text into sentences. */
export interface SentenceCutter {
  /** Adds the next piece of text. Gives every sentence whose end is now certain. */
  push(delta: string): Sentence[];
  /** Ends the text. Gives the rest of it. */
  end(): Sentence[];
}

const firstLength = 80;
const laterLength = 240;
const abbreviation =
  /(?:^|[\s(])(?:\p{Lu}|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|No|Nr|vs|approx|etc|e\.g|i\.e|z\.B|bzw|ca|\d{1,2})\.\s+$/u;
const mayEnd = /[.!?…。！？；｡．\n]/u;
const hiddenParts: readonly (readonly [open: string, close: string])[] = [
  ["```", "```"],
  ["<think>", "</think>"],
];

/**
 * Creates a cutter that follows the sentence rules of Unicode (`Intl.Segmenter`) in any language.
 * - It also cuts at line ends, but not after "Dr." or "1.".
 * - A sentence is complete with the first character after it.
 * - A long sentence is cut after a clause, the first one of the text sooner.
 * - The written pieces together are the text, and do not depend on its chunks.
 * - Code blocks and a model's `<think>` parts are not spoken.
 */
export function createSentenceCutter(language = "en"): SentenceCutter {
  const segmenter = new Intl.Segmenter(language, { granularity: "sentence" });
  let buffer = "";
  let half = "";
  let first = true;
  let hidden: string | undefined;

  const finish = (written: string): Sentence => {
    buffer = buffer.slice(written.length);
    let shown = "";
    for (let rest = written; rest !== "";) {
      const marks = hidden === undefined ? hiddenParts.map(([open]) => open) : [hidden];
      const [mark, at] = marks
        .map((mark) => [mark, rest.indexOf(mark)] as const)
        .filter(([, at]) => at >= 0)
        .sort(([, a], [, b]) => a - b)[0] ?? ["", rest.length];
      if (hidden === undefined) shown += rest.slice(0, at);
      if (mark !== "") hidden = hidden === undefined ? new Map(hiddenParts).get(mark) : undefined;
      rest = rest.slice(at + mark.length);
    }
    const sentence = { written, ...makeSpeakable(shown) };
    if (sentence.text !== "") first = false;
    return sentence;
  };

  const findEnd = (): number => {
    if (!mayEnd.test(buffer.slice(0, -1))) return 0;
    for (const { segment, index } of segmenter.segment(buffer)) {
      if (index + segment.length === buffer.length) return 0;
      // Unicode's rules treat an opening quotation mark after a full stop as a closing one.
      const written = buffer.slice(0, index + segment.length).replace(/[“‘「『《（【]\s*$/u, "");
      if (!abbreviation.test(written) && /[\p{L}\p{N}]/u.test(written)) return written.length;
    }
    return 0;
  };

  const findClause = (): number => {
    const longest = first ? firstLength : laterLength;
    if (buffer.length <= longest) return 0;
    const clause = /^.*(?:[,;:—](?=\s)|[，、；：])\s*(?=\S)/su.exec(buffer)?.[0].length ?? 0;
    if (clause > longest / 4) return clause;
    if (buffer.length <= 2 * longest) return 0;
    const space = /^.*\s(?=\S)/su.exec(buffer)?.[0].length ?? 0;
    return space > 0 ? space : buffer.length;
  };

  return {
    push(delta) {
      const sentences: Sentence[] = [];
      const text = half + delta;
      // One character at a time, so that a cut depends on the text and not on its chunks.
      half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : "";
      for (const char of half === "" ? text : text.slice(0, -1)) {
        buffer += char;
        const end = findEnd() || findClause();
        if (end > 0) sentences.push(finish(buffer.slice(0, end)));
      }
      return sentences;
    },
    end() {
      buffer += half;
      half = "";
      return buffer === "" ? [] : [finish(buffer)];
    },
  };
}
