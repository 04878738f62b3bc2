import { language } from "./settings.ts";
import { english, type Words } from "./words-en.ts";
import { chinese } from "./words-zh.ts";

/** The words of the page in the reader's language. */
export function useWords(): Words {
  return language.value === "zh" ? chinese : english;
}
