import { language } from "./settings.ts";
import { english, type Words } from "./words-en.ts";
import { chinese } from "./words-zh.ts";

/** Returns the page's words in the user's language. A component that calls it renders again with a new language. */
export function useWords(): Words {
  return language.value === "zh" ? chinese : english;
}
