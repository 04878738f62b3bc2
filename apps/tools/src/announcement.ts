import type { Reminder } from "@voxbus/protocol";
import { formatAgo, formatLength, formatTime } from "./format.ts";
import { phrasesIn } from "./phrases.ts";
import { lastOccurrence } from "./recurrence.ts";

/** The words of a device for a reminder, and their language. */
export interface Announcement {
  readonly text: string;
  readonly language: string;
}

/** A reminder that rings this late is announced as such, ms. */
const lateMs = 60_000;

/** Writes the announcement of a reminder that rings at `now` (ms), in the language of the device's profile. */
export function announce(reminder: Reminder, now: number, profileLanguage: string): Announcement {
  // Those of older versions are English sentences.
  if (reminder.kind === undefined) return { text: reminder.text ?? "", language: "en" };
  const { phrases, language } = phrasesIn(profileLanguage);
  const { name } = reminder;
  const dueAt = lastDue(reminder, now);
  const ago = now - dueAt < lateMs ? undefined : formatAgo(now - dueAt, language);
  const text =
    reminder.kind === "timer"
      ? sayTimer(formatLength(reminder.ms ?? 0, language))
      : sayAlarm(formatTime(dueAt, reminder.timeZone ?? "UTC", language));
  return { text, language };

  function sayTimer(length: string): string {
    return ago === undefined ? phrases.ringTimer(length, name) : phrases.missedTimer(ago, length, name);
  }
  function sayAlarm(time: string): string {
    return ago === undefined ? phrases.ringAlarm(time, name) : phrases.missedAlarm(ago, time, name);
  }
}

/** Gives the time at which a reminder was due last: of a repeated alarm that was missed several times, the newest. */
function lastDue({ dueAt, days, time, timeZone }: Reminder, now: number): number {
  if (days === undefined || time === undefined || timeZone === undefined) return dueAt;
  return Math.max(dueAt, lastOccurrence({ days, time, timeZone }, now));
}
