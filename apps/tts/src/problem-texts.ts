const texts = {
  failed: {
    en: "Sorry, something went wrong.",
    zh: "抱歉，出了点问题。",
    de: "Entschuldigung, da ist etwas schiefgegangen.",
    fr: "Désolé, il y a eu un problème.",
    es: "Lo siento, algo ha ido mal.",
  },
  unspeakable: {
    en: "I cannot speak this language yet.",
  },
} as const;

/** The problem that is spoken: synthesis failed, or no engine speaks the language. */
export type Problem = keyof typeof texts;

/** A text that tells of a problem, and its language. */
export interface ProblemText {
  readonly text: string;
  readonly language: string;
}

/** Gives the texts that tell of a problem: in the given language if it is one of ours, then in English. */
export function problemTexts(problem: Problem, language = "en"): readonly ProblemText[] {
  const known: Readonly<Record<string, string>> = texts[problem];
  const [primary = "en"] = language.toLowerCase().split("-");
  return [...new Set([primary, "en"])].flatMap((language) => {
    const text = Object.hasOwn(known, language) ? known[language] : undefined;
    return text === undefined ? [] : [{ text, language }];
  });
}
