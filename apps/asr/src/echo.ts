/** Up to this number of words of a reply are compared, the newest. */
const mostWords = 600;
/** Share of the heard words that the device has said, in order, within a passage half as long again. */
const leastShare = { clear: 0.8, unclear: 0.6 } as const;

/** Splits a text into words, and Chinese into characters. */
export function readTokens(text: string): readonly string[] {
  return text.toLowerCase().match(/\p{Script=Han}|(?:(?!\p{Script=Han})[\p{L}\p{M}\p{N}'’])+/gu) ?? [];
}

/**
 * Tells whether words are the device's own, heard through its microphone. A grammar makes known sentences of them, which it
 * hears unclearly. A single word proves nothing.
 */
export function isEcho(words: readonly string[], said: readonly string[], as: keyof typeof leastShare): boolean {
  if (words.length < 2) return false;
  const spoken = readTokens(said.join(" ")).slice(-mostWords);
  const passage = Math.ceil(words.length * 1.5);
  return spoken.some((word, at) =>
    word === words[0] || word === words[1]
      ? countCommon(words, spoken.slice(at, at + passage)) >= leastShare[as] * words.length
      : false,
  );
}

/** Counts the words that two texts have in common, in order. */
function countCommon(left: readonly string[], right: readonly string[]): number {
  let row = Array<number>(right.length + 1).fill(0);
  for (const word of left) {
    const next = [0];
    right.forEach((other, i) => next.push(word === other ? row[i]! + 1 : Math.max(row[i + 1]!, next[i]!)));
    row = next;
  }
  return row.at(-1)!;
}
