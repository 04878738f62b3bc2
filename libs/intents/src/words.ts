/**
 * Gives the words of a phrase or of a heard or typed text, in lower case and without punctuation. Contractions are written
 * out ("what's" becomes "what is"), arithmetic signs become words ("7%" becomes "7 percent"), digits stay digits, and
 * "please" is left out.
 */
export function readWords(text: string): string[] {
  const spelled = text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll("’", "'")
    .replaceAll(/(\d),(?=\d{3}(?!\d))/g, "$1")
    .replaceAll("%", " percent ")
    .replaceAll("+", " plus ")
    .replaceAll(/[*×]|(?<=\d\s*)x(?=\s*\d)/g, " times ")
    .replaceAll(/÷|(?<=\d\s*)\/(?=\s*\d)/g, " divided by ")
    .replaceAll(/(?<=\d\s*)[-−–](?=\s*\d)/g, " minus ")
    .replaceAll(/\b(what|who|how|where|that|it)'s\b/g, "$1 is")
    .replaceAll(/\bcan't\b/g, "can not")
    .replaceAll(/n't\b/g, " not")
    .replaceAll(/'m\b/g, " am")
    .replaceAll(/'re\b/g, " are")
    .replaceAll(/'ll\b/g, " will");
  const words = spelled.match(/\d+(?:\.\d+)?|\p{L}[\p{L}\p{M}]*(?:'\p{L}+)*/gu) ?? [];
  return words.filter((word) => word !== "please");
}

/** Gives the spoken forms of a path: the path itself, then the one with its "what is" (or the like) contracted to "what's". */
export function spokenForms<Step>(path: readonly Step[]): readonly (readonly (Step | string)[])[] {
  const at = path.findIndex((step, i) => typeof step === "string" && contracted.has(step) && path[i + 1] === "is");
  return at < 0 ? [path] : [path, [...path.slice(0, at), `${String(path[at])}'s`, ...path.slice(at + 2)]];
}

const contracted = new Set(["what", "who", "how", "where", "that", "it"]);
