import { makeSpeakable, type Speakable } from "./speakable.ts";
import { thoughtTag } from "./thoughts.ts";

/** A sentence of a text that is still being written: in its written form, and in its spoken form. */
export interface Sentence extends Speakable {
  readonly written: string;
}

/** Cuts a stream of text into sentences. */
export interface SentenceCutter {
  /** Adds the next piece of text. Gives every sentence whose end is now certain. */
  push(delta: string): Sentence[];
  /** Gives the rest of the text if it looks like a whole sentence: the writer pauses. */
  pause(): Sentence[];
  /** Ends the text. Gives the rest of it. What is pushed then is another text. */
  end(): Sentence[];
}

const firstLength = 80;
const laterLength = 240;
const abbreviation =
  /(?:^|[\s(“"'])(?:(?:\p{Lu}\.)*\p{Lu}|Mr|Mrs|Ms|Dr|Prof|St|Mt|Jr|Sr|vs|approx|etc|cf|[ap]\.m|a\.k\.a|e\.g|i\.e|w\.r\.t|z\.B|d\.h|u\.a|bzw|ca)\.\s*$/u;
const numbered =
  /(?:^|[\s(])(?:Nos?|Nr|Fig|Art|Sec|Eq|Ex|Tab|vol|ch|pp?|est|min|max|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.\s*$/i;
const listNumber = /(?:^|\n)\s*\d{1,2}\.\s*$/u;
const ordinal = /(?:^|\s)\d{1,2}\.\s*$/u;
const mayEnd = /[.!?…。！？；｡．\n]/u;
/** A full stop or the like inside an address, a number or a name. */
const unfinished = /[.!?…]["'”’)\]]*$/u;
const continues = /^[\w/&=?#%~+.,;:@-]/;
/** A question or an exclamation in quotation marks, which the sentence may go on behind. */
const quoted = /[!?]["”’')]+\s*$/u;
/** The beginning or the end of a code block or of a thought. */
const hidingMark = new RegExp(`\`{3}|~{3}|${thoughtTag.source}`, "i");

/**
 * Creates a cutter that follows the sentence rules of Unicode (`Intl.Segmenter`) in any language.
 * - It also cuts at line ends, but not after "Dr." or "1.".
 * - A sentence is complete with the first character after it, or with a pause.
 * - A long sentence is cut after a clause, the first one of the text sooner.
 * - The written pieces together are the text, and do not depend on its chunks.
 * - Code blocks and a model's thoughts are not spoken.
 */
export function createSentenceCutter(language = "en"): SentenceCutter {
  const segmenter = new Intl.Segmenter(language, { granularity: "sentence" });
  const english = language.startsWith("en");
  let reader = createShownReader();
  let buffer = "";
  let half = "";
  let first = true;

  const finish = (written: string): Sentence => {
    buffer = buffer.slice(written.length);
    const sentence = { written, ...makeSpeakable(reader.show(written)) };
    if (sentence.text !== "") first = false;
    return sentence;
  };

  const isEnd = (written: string, next: string): boolean =>
    /[\p{L}\p{N}]/u.test(written) &&
    !(unfinished.test(written) && continues.test(next)) &&
    !(quoted.test(written) && /^\p{Ll}/u.test(next)) &&
    !(written.endsWith("!") && next.startsWith("[")) &&
    !abbreviation.test(written) &&
    !(/\d/.test(next) && numbered.test(written)) &&
    !(english ? listNumber : ordinal).test(written);

  const findEnd = (): number => {
    if (!mayEnd.test(buffer.slice(0, -1))) return 0;
    for (const { segment, index } of segmenter.segment(buffer)) {
      const end = index + segment.length;
      if (end === buffer.length) return 0;
      // Unicode's rules treat an opening mark after a full stop as a closing one.
      const written = buffer.slice(0, end).replace(/[“‘「『《（【[(]\s*$/u, "");
      if (isEnd(written, buffer.slice(end))) return written.length;
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
    pause() {
      // A number or an address may go on behind its dot.
      const looksWhole = /(?:[!?…。！？；｡．\n]|[^\d\s]\.)["'”’)\]]*\s*$/u.test(buffer);
      return half === "" && looksWhole && isEnd(buffer, "") ? [finish(buffer)] : [];
    },
    end() {
      buffer += half;
      half = "";
      const rest = buffer === "" ? [] : [finish(buffer)];
      reader = createShownReader();
      return rest;
    },
  };
}

/** Reads a text piece by piece, and gives the parts of it that are neither code blocks nor thoughts. */
function createShownReader(): { show(piece: string): string } {
  let hidden: "code" | "thought" | undefined;
  return {
    show(piece) {
      let shown = "";
      let rest = piece;
      for (let mark = hidingMark.exec(rest); mark !== null; mark = hidingMark.exec(rest)) {
        const isCode = /^[`~]/.test(mark[0]);
        if (hidden === undefined) shown += rest.slice(0, mark.index);
        rest = rest.slice(mark.index + mark[0].length);
        if (hidden === "code") hidden = isCode ? undefined : hidden;
        else if (isCode) hidden ??= "code";
        else if (mark[1] === undefined) hidden = "thought";
        else {
          // Some models think from the beginning, and say only where that ends.
          if (hidden === undefined) shown = "";
          hidden = undefined;
        }
      }
      return hidden === undefined ? shown + rest : shown;
    },
  };
}
