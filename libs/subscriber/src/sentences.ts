const shortText = 200;

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
