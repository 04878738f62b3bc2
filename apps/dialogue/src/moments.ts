const moments: Readonly<Record<string, string>> = {
  en: "One moment please.",
  zh: "请稍等。",
  de: "Einen Moment bitte.",
  fr: "Un instant, s'il vous plaît.",
  es: "Un momento, por favor.",
};
const known = new Set(Object.values(moments));

/** Gives the sentence of a turn that takes long, and its language: the given one if it is one of ours, otherwise English. */
export function momentIn(language: string): { readonly text: string; readonly language: string } {
  const [primary = ""] = language.toLowerCase().split("-");
  return Object.hasOwn(moments, primary)
    ? { text: moments[primary]!, language }
    : { text: moments["en"]!, language: "en" };
}

/** Tells whether a stored sentence is that of a turn that took long. It is no part of the answer. */
export function isMoment(text: string): boolean {
  return known.has(text);
}
