import { effect, signal } from "@preact/signals";

/** The page's colors; `auto` follows the operating system. */
export type Theme = "auto" | "light" | "dark";
/** The page's languages. */
export type Language = "en" | "zh";

const local = () => localStorage;
const session = () => sessionStorage;

// A browser may forbid storage. The page then forgets its settings when it closes.
function read(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key);
  } catch {
    return null;
  }
}

function write(storage: () => Storage, key: string, value: string): void {
  try {
    if (value) storage().setItem(key, value);
    else storage().removeItem(key);
  } catch (error) {
    console.warn(`${key} not stored`, error);
  }
}

function firstLanguage(): Language {
  const stored = read(local, "voxbus.language");
  if (stored === "en" || stored === "zh") return stored;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

function firstTheme(): Theme {
  const stored = read(local, "voxbus.theme");
  return stored === "light" || stored === "dark" ? stored : "auto";
}

/** The page's language. */
export const language = signal<Language>(firstLanguage());
/** The page's theme. */
export const theme = signal<Theme>(firstTheme());
/** The operator's token in this tab; empty without one. */
export const token = signal(read(session, "voxbus.token") ?? "");

/** Changes the language, for later visits too. */
export function chooseLanguage(value: Language): void {
  language.value = value;
  write(local, "voxbus.language", value);
}

/** Changes the theme, for later visits too. */
export function chooseTheme(value: Theme): void {
  theme.value = value;
  write(local, "voxbus.theme", value);
}

/** Changes the operator's token for this tab. */
export function chooseToken(value: string): void {
  token.value = value;
  write(session, "voxbus.token", value);
}

/** Returns a name that this browser keeps: the stored one if it fits `pattern`, or a new one. */
function keepName(key: string, pattern: RegExp, prefix: string, words: number): string {
  const stored = read(local, key);
  if (stored && pattern.test(stored)) return stored;
  const random = crypto.getRandomValues(new Uint32Array(words));
  const made = prefix + [...random].map((part) => part.toString(36).padStart(7, "0")).join("");
  write(local, key, made);
  return made;
}

/** This browser's device id. It is made at the first visit and stays the same. */
export function readBrowserId(): string {
  return keepName("voxbus.device", /^web_[a-z0-9]{8,40}$/, "web_", 2);
}

/** This browser's client id, a secret of 128 bits. Gateways make the token of the device that was let in from it. */
export function readBrowserClient(): string {
  return keepName("voxbus.client", /^[a-z0-9]{28}$/, "", 4);
}

effect(() => {
  const root = document.documentElement;
  root.lang = language.value === "zh" ? "zh-CN" : "en";
  if (theme.value === "auto") delete root.dataset["theme"];
  else root.dataset["theme"] = theme.value;
});
