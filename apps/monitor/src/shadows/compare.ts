/** Splits a text into lower-case words without punctuation. A script without spaces, such as Chinese, counts by characters. */
export function splitWords(text: string): readonly string[] {
  return (
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{N}\p{M}'’]+/gu) ?? []
  );
}

/** The longest texts that are compared word by word, in words: the work grows with the square. */
const most = 200;

/** Counts the words that must be replaced, added or removed to make one text of the other (the numerator of a word error rate). */
export function countWordErrors(one: readonly string[], other: readonly string[]): number {
  const [a, b] = [one.slice(0, most), other.slice(0, most)];
  let before = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (const [i, word] of a.entries()) {
    const row = [i + 1];
    for (const [j, against] of b.entries()) {
      row.push(Math.min(before[j + 1]! + 1, row[j]! + 1, before[j]! + Number(word !== against)));
    }
    before = row;
  }
  return before.at(-1)!;
}
