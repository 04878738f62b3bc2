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
    .replaceAll(/[*×]/g, " times ")
    .replaceAll(/÷|(?<=\d\s*)\/(?=\s*\d)/g, " divided by ")
    .replaceAll(/(?<=\d\s*)[-−–](?=\s*\d)/g, " minus ");
  const words = spelled.match(/\d+(?:\.\d+)?|\p{L}[\p{L}\p{M}]*(?:'\p{L}+)*/gu) ?? [];
  const spoken = words.flatMap(writeOut).filter((word) => word !== "please");
  const isNumber = (word: string | undefined) => word !== undefined && /^\d/.test(word);
  return spoken.map((word, at) =>
    word === "x" && isNumber(spoken[at - 1]) && isNumber(spoken[at + 1]) ? "times" : word,
  );
}

const endings = { "n't": "not", "'m": "am", "'re": "are", "'ll": "will" };

/** Writes out a contraction: "what's" is "what" and "is". */
function writeOut(word: string): string[] {
  if (word === "can't") return ["can", "not"];
  const [first = ""] = word.split("'s", 1);
  if (contracted.has(first) && word === `${first}'s`) return [first, "is"];
  for (const [ending, full] of Object.entries(endings)) {
    if (word.endsWith(ending)) return [...writeOut(word.slice(0, -ending.length).replace(/'$/, "")), full];
  }
  return word === "" ? [] : [word];
}

/** Gives the spoken forms of a path: the path itself, then the one with its "what is" (or the like) contracted to "what's". */
export function spokenForms<Step>(path: readonly Step[]): readonly (readonly (Step | string)[])[] {
  const at = path.findIndex((step, i) => typeof step === "string" && contracted.has(step) && path[i + 1] === "is");
  return at < 0 ? [path] : [path, [...path.slice(0, at), `${String(path[at])}'s`, ...path.slice(at + 2)]];
}

const contracted = new Set(["what", "who", "how", "where", "that", "it"]);
