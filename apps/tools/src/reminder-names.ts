/** The words by which a user may mean a reminder. */
export interface Named {
  /** Undefined: it has no name. */
  readonly name: string | undefined;
  /** Its length or its time of day, as it is told. */
  readonly labels: readonly string[];
}

/**
 * Finds the reminders that a user means. A name or a label that is exactly what was asked goes first. Otherwise the name has to be
 * among the words that were asked: users also say "the tea timer". A name of several words goes before one that is part of it.
 */
export function findNamed<Reminder>(
  asked: string,
  reminders: readonly Reminder[],
  namedBy: (reminder: Reminder) => Named,
): readonly Reminder[] {
  const wanted = plainWords(asked);
  if (wanted === "") return [];
  const all = reminders.map((reminder) => {
    const { name = "", labels } = namedBy(reminder);
    return { reminder, name: plainWords(name), labels: labels.map(plainWords) };
  });
  const exact = all.filter(({ name, labels }) => [name, ...labels].some((one) => joinWords(one) === joinWords(wanted)));
  const within = all.filter(({ name }) => name !== "" && hasName(wanted, name));
  const longest = within.filter(({ name }) => !within.some((one) => one.name !== name && hasName(one.name, name)));
  return (exact.length > 0 ? exact : longest).map(({ reminder }) => reminder);
}

function joinWords(words: string): string {
  return words.replaceAll(" ", "");
}

/** In scripts without spaces, no word can be told from a part of one. */
function hasName(text: string, name: string): boolean {
  const hasSpaces = !/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u.test(name);
  return hasSpaces ? ` ${text} `.includes(` ${name} `) : text.includes(name);
}

/** Gives the words of a text, in lower case. A German timer is often written together with its name. */
function plainWords(text: string): string {
  const words = text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/(?<=\p{L}{2})(timer|wecker)(?!\p{L})/gu, " $1");
  return (words.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).join(" ");
}
