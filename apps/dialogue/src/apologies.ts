const apologies = {
  en: {
    failed: "I am sorry, I cannot answer right now.",
    interrupted: "I am sorry, I lost my thread.",
    unrecognized: "I am sorry, I did not understand that.",
  },
  zh: {
    failed: "抱歉，我现在无法回答。",
    interrupted: "抱歉，我说到一半断了。",
    unrecognized: "抱歉，我没有听懂。",
  },
  de: {
    failed: "Es tut mir leid, ich kann gerade nicht antworten.",
    interrupted: "Es tut mir leid, ich habe den Faden verloren.",
    unrecognized: "Es tut mir leid, das habe ich nicht verstanden.",
  },
} as const;

/** Gives the apology for a missing answer: in the given language if it is one of ours, otherwise in English. */
export function apologize(why: keyof (typeof apologies)["en"], language: string): string {
  const [primary = ""] = language.toLowerCase().split("-");
  return (Object.hasOwn(apologies, primary) ? apologies[primary as keyof typeof apologies] : apologies.en)[why];
}
