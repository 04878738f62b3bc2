/** Replaces texts, one after the other. Throws if one is not there, so that a changed file is noticed. */
export function replaceIn(text: string, changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`expected ${JSON.stringify(from)} in the file`);
    return all.replaceAll(from, to);
  }, text);
}
