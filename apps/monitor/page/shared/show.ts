import { useEffect, useState } from "preact/hooks";

/** A duration as people read it: `320 ms`, `1.4 s`. */
export function showMs(ms: number | undefined): string {
  if (ms === undefined) return "–";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** How long ago a moment was, in its two greatest units: `2 h 5 min`. */
export function showAge(since: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - since) / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600), Math.floor(seconds / 60)];
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** A time of day. */
export const showTime = (at: number): string => new Date(at).toLocaleTimeString(undefined, { hour12: false });

/** A count with its thousands apart. */
export const showCount = (count: number): string => count.toLocaleString("en").replaceAll(",", "\u{202f}");

/** Bytes in MB. */
export const showBytes = (bytes: number | undefined): string =>
  bytes === undefined ? "–" : `${Math.round(bytes / 1_048_576)} MB`;

/** The time now, in ms since the epoch; the component renders again every `everyMs`. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
