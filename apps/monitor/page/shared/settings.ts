import { createStore, type Store } from "./store.ts";

/** How the page looks; `auto` is as the system does. */
export type Theme = "auto" | "light" | "dark";
/** The languages that the page speaks. */
export type Language = "en" | "zh";

// A browser may forbid storage altogether; the page then forgets at the next visit.
function read(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key);
  } catch {
    return null;
  }
}

function keep(storage: () => Storage, key: string, store: Pick<Store<string>, "get" | "subscribe">): void {
  store.subscribe(() => {
    try {
      if (store.get()) storage().setItem(key, store.get());
      else storage().removeItem(key);
    } catch {
      console.warn(`${key} could not be kept`);
    }
  });
}

const local = () => localStorage;
const session = () => sessionStorage;

function firstLanguage(): Language {
  const kept = read(local, "voxbus.language");
  if (kept === "en" || kept === "zh") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

function firstTheme(): Theme {
  const kept = read(local, "voxbus.theme");
  return kept === "light" || kept === "dark" ? kept : "auto";
}

/** The page's language. */
export const language = createStore<Language>(firstLanguage());
/** The page's theme. */
export const theme = createStore<Theme>(firstTheme());
/** The operator's token for this tab; empty: none. */
export const token = createStore(read(session, "voxbus.token") ?? "");
keep(local, "voxbus.language", language);
keep(local, "voxbus.theme", theme);
keep(session, "voxbus.token", token);

/** A name of this browser that stays, made at the first visit. */
export function readBrowserId(): string {
  const kept = read(local, "voxbus.device");
  if (kept && /^web_[a-z0-9]{8,40}$/.test(kept)) return kept;
  const random = crypto.getRandomValues(new Uint32Array(2));
  const made = `web_${[...random].map((part) => part.toString(36).padStart(7, "0")).join("")}`;
  const store = createStore("");
  keep(local, "voxbus.device", store);
  store.set(made);
  return made;
}

function show(): void {
  const root = document.documentElement;
  root.lang = language.get() === "zh" ? "zh-CN" : "en";
  if (theme.get() === "auto") delete root.dataset["theme"];
  else root.dataset["theme"] = theme.get();
}
show();
language.subscribe(show);
theme.subscribe(show);
