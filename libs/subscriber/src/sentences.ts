const shortText = 200;
/** A text without an end is cut after as many characters. */
const longestSentence = 1000;

/**
 * Splits an announcement into the sentences in which it is spoken. A text of up to 200 characters stays whole. A longer
 * one is split at the ends of sentences in its language, and short neighbors stay together. Only white space is lost.
 */
export function splitSentences(text: string, language = "en"): readonly string[] {
  const whole = text.trim();
  if (whole.length <= shortText) return [whole];
  const sentences: string[] = [];
  let held = "";
  for (const { segment } of new Intl.Segmenter(language, { granularity: "sentence" }).segment(whole)) {
    if (held && held.length + segment.length > shortText) {
      sentences.push(held.trim());
      held = "";
    }
    held += segment;
  }
  return [...sentences, held.trim()];
}

/**
 * Joins the pieces of a text that is still being written, such as a model's tokens, to the sentences of its language. Gives each one
 * when the next one begins. A sentence of over 1000 characters is cut, where it can be between words.
 */
export async function* joinSentences(
  pieces: Iterable<string> | AsyncIterable<string>,
  language = "en",
): AsyncGenerator<string, void> {
  const segmenter = new Intl.Segmenter(language, { granularity: "sentence" });
  let rest = "";
  for await (const piece of pieces) {
    rest += piece;
    const sentences = [...segmenter.segment(rest)].map(({ segment }) => segment);
    rest = sentences.pop() ?? "";
    if (rest.length > longestSentence) {
      // Without white space, between characters.
      const [cut = rest] = /^.+(?=\s)/s.exec(rest) ?? /^.{500}/su.exec(rest) ?? [];
      sentences.push(cut);
      rest = rest.slice(cut.length);
    }
    for (const sentence of sentences) if (sentence.trim() !== "") yield sentence.trim();
  }
  if (rest.trim() !== "") yield rest.trim();
}
