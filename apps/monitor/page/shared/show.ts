import { useEffect, useState } from "preact/hooks";
import { language } from "./settings.ts";

/** Formats a duration, such as `320 ms` or `1.4 s`; a dash for an unknown one. */
export function showMs(ms: number | undefined): string {
  if (ms === undefined) return "–";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** Formats the time from `since` to `now` (ms) in its two largest units, such as `2 h 5 min`. */
export function showAge(since: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - since) / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600), Math.floor(seconds / 60)];
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** Returns the text of a key, or the key itself if there is no text for it. */
export function showWord(texts: Readonly<Record<string, string>>, key: string): string {
  return Object.hasOwn(texts, key) ? texts[key]! : key;
}

/** Formats a time of day; `at` is in ms since the epoch. */
export function showTime(at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hour12: false });
}

/** Formats a day and its time; `at` is in ms since the epoch. */
export function showDay(at: number): string {
  const locale = language.value === "zh" ? "zh-CN" : undefined;
  return new Date(at).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });
}

/** Formats a count with thin spaces between thousands; a dash for an unknown one. */
export function showCount(count: number | undefined): string {
  return count === undefined ? "–" : count.toLocaleString("en").replaceAll(",", "\u{202f}");
}

/** Formats a percentage; a dash for an unknown one. */
export function showPercent(percent: number | undefined): string {
  return percent === undefined ? "–" : `${Math.round(percent)} %`;
}

/** Formats bytes in MB, of 1,000,000 bytes as in the alerts; a dash for an unknown number. */
export function showBytes(bytes: number | undefined): string {
  return bytes === undefined ? "–" : `${Math.round(bytes / 1_000_000)} MB`;
}

/** Returns the time in ms since the epoch. The component renders again every `everyMs`. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
