import { groupsOf, type Profile } from "./profile.ts";

/** The fields of a profile that variables stand for. */
type VariableFields = Pick<Profile, "name" | "place" | "language" | "timeZone" | "group" | "groups">;

/**
 * The variables of a profile's texts, and the values that they have at a time. Dates, times and names of languages are
 * written as in the profile's language.
 */
const values = {
  name: ({ name = "" }: VariableFields) => name,
  place: ({ place = "" }: VariableFields) => place,
  group: (profile: VariableFields) => groupsOf(profile)[0] ?? "",
  language: ({ language }: VariableFields) =>
    // Extensions of a tag have no name.
    new Intl.DisplayNames(language, { type: "language" }).of(new Intl.Locale(language).baseName) ?? language,
  date: ({ language, timeZone }: VariableFields, now: number) =>
    new Date(now).toLocaleDateString(language, { timeZone, dateStyle: "full" }),
  time: ({ language, timeZone }: VariableFields, now: number) =>
    new Date(now).toLocaleTimeString(language, { timeZone, timeStyle: "short" }),
  timeZone: ({ timeZone }: VariableFields) => timeZone,
} satisfies Readonly<Record<string, (profile: VariableFields, now: number) => string>>;

type Variable = keyof typeof values;

/** The names of the variables that a profile's texts may contain in braces, such as `{name}`. */
export const textVariables = Object.keys(values) as readonly Variable[];

// A word in two pairs of braces stands for itself in one pair.
const mark = /\{\{(\w+)\}\}|\{(\w+)\}/g;

/** Lists the words in braces that are no variables, each once. */
export function findUnknownVariables(text: string): readonly string[] {
  const words = [...text.matchAll(mark)].flatMap(([, , word]) => word ?? []);
  return [...new Set(words.filter((word) => !isVariable(word)))];
}

/**
 * Fills the variables of a profile's text at the time `now`, ms since the epoch. One whose field is not set is empty. Other
 * words in braces stay.
 */
export function fillText(text: string, profile: VariableFields, now: number): string {
  return text.replaceAll(mark, (whole, literal: string | undefined, word: string) => {
    if (literal !== undefined) return `{${literal}}`;
    return isVariable(word) ? values[word](profile, now) : whole;
  });
}

function isVariable(word: string): word is Variable {
  return Object.hasOwn(values, word);
}
