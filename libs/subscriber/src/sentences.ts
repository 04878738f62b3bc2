const shortText = 200;

/**
 * The sentences that an announcement is spoken in: a text of up to 200 characters stays whole, a longer one is divided
 * where a sentence of its language ends, short neighbours together. Nothing but the white space around them is lost.
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
