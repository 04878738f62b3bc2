/** The most changes by which a misspelt word may differ from the one that was meant, for each 4 of its characters. */
const changesPerFour = 1;

/** Finds the word that `text` most likely stands for: the nearest one, if few letters differ. Case does not count. */
export function suggest(text: string, words: readonly string[]): string | undefined {
  const typed = text.toUpperCase();
  const most = Math.max(1, Math.floor((typed.length / 4) * changesPerFour));
  let best: { readonly word: string; readonly changes: number } | undefined;
  for (const word of words) {
    if (Math.abs(word.length - typed.length) > most) continue;
    const changes = countChanges(typed, word.toUpperCase());
    if (changes <= most && (best === undefined || changes < best.changes)) best = { word, changes };
  }
  return best?.word;
}

/** Counts the letters to add, remove, replace, or swap with their neighbor (optimal string alignment). */
function countChanges(from: string, to: string): number {
  let before: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      let least = Math.min(last[column]! + 1, line[column - 1]! + 1, last[column - 1]! + (isSame ? 0 : 1));
      const isSwapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (isSwapped) least = Math.min(least, before[column - 2]! + 1);
      line.push(least);
    }
    before = last;
    last = line;
  }
  return last[to.length]!;
}
