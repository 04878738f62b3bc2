/**
 * The words of a phrase or of heard or typed text: lower case, without punctuation, contractions written out ("what's" is
 * "what is"), arithmetic signs as words ("7%" is "7 percent"), "please" left out. Digits stay digits.
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

/** The ways a written-out path is also spoken: each "what is" as "what's" and the like. The first is the path itself. */
export function spokenForms<Step>(path: readonly Step[]): readonly (readonly (Step | string)[])[] {
  const at = path.findIndex((step, i) => typeof step === "string" && contracted.has(step) && path[i + 1] === "is");
  return at < 0 ? [path] : [path, [...path.slice(0, at), `${String(path[at])}'s`, ...path.slice(at + 2)]];
}

const contracted = new Set(["what", "who", "how", "where", "that", "it"]);
