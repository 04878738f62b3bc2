/** The known scripts, each with its languages (BCP 47), the likeliest first. */
const languagesOf = {
  Latin: ["en"],
  Han: ["zh", "cmn", "yue", "ja"],
  Hiragana: ["ja"],
  Katakana: ["ja"],
  Hangul: ["ko"],
  Cyrillic: ["ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "tt", "ba", "cv"],
  Greek: ["el"],
  Arabic: ["ar", "fa", "ur", "sd", "ug"],
  Hebrew: ["he"],
  Devanagari: ["hi", "mr", "ne"],
  Bengali: ["bn", "as"],
  Gurmukhi: ["pa"],
  Gujarati: ["gu"],
  Tamil: ["ta"],
  Telugu: ["te"],
  Kannada: ["kn"],
  Malayalam: ["ml"],
  Sinhala: ["si"],
  Thai: ["th"],
  Armenian: ["hy"],
  Georgian: ["ka"],
  Ethiopic: ["am"],
} as const;

/** A script by its Unicode name. `Other` is every unknown script. */
export type Script = keyof typeof languagesOf | "Other";

const patterns = Object.keys(languagesOf).map(
  (name) => [name as Script, new RegExp(`\\p{Script=${name}}`, "u")] as const,
);

const foreignLanguages = new Set<string>(
  Object.entries(languagesOf).flatMap(([script, languages]) => (script === "Latin" ? [] : languages)),
);

/** Counts the letters of a text by script. Digits and punctuation belong to no script. */
export function countScripts(text: string): ReadonlyMap<Script, number> {
  const counts = new Map<Script, number>();
  for (const [letter] of text.matchAll(/\p{L}/gu)) {
    const script = patterns.find(([, pattern]) => pattern.test(letter))?.[0] ?? "Other";
    counts.set(script, (counts.get(script) ?? 0) + 1);
  }
  return counts;
}

/** Returns the share of Latin letters in a text, 0 to 1. It is 1 for a text without letters. */
export function latinShare(text: string): number {
  const counts = countScripts(text);
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return all === 0 ? 1 : (counts.get("Latin") ?? 0) / all;
}

/**
 * Guesses the language of a text, as its primary subtag: `language` (English) if it is written in the text's script,
 * otherwise the likeliest language of that script. Another script counts before Latin, because names and loan words are
 * Latin everywhere. Returns undefined for an unknown script.
 */
export function guessLanguage(text: string, language = "en"): string | undefined {
  const given = language.toLowerCase().split("-")[0]!;
  const counts = countScripts(text);
  const foreign = [...counts].filter(([script]) => script !== "Latin").sort((a, b) => b[1] - a[1]);
  if (foreign.length === 0) return foreignLanguages.has(given) ? "en" : given;
  if (counts.has("Hiragana") || counts.has("Katakana")) return "ja";
  const script = foreign[0]![0];
  if (script === "Other") return undefined;
  const languages: readonly string[] = languagesOf[script];
  return languages.includes(given) ? given : languages[0];
}
