import { Temporal } from "temporal-polyfill";

/** A time of day in a time zone: once, or again on some days of the week. */
export interface Recurrence {
  /** HH:MM. */
  readonly time: string;
  /** An IANA time zone. */
  readonly timeZone: string;
  /** Days of the week, 1 for Monday to 7 for Sunday. Absent: every day. */
  readonly days?: readonly number[] | undefined;
}

/**
 * Gives the first occurrence after `after`, in ms since the epoch. Where clocks are put forward over the time, it is as much
 * later; where they are put back, the first of the two counts.
 */
export function nextOccurrence(recurrence: Recurrence, after: number): number {
  return findOccurrence(recurrence, after, 1);
}

/** Gives the last occurrence at or before `before`, in ms since the epoch. */
export function lastOccurrence(recurrence: Recurrence, before: number): number {
  return findOccurrence(recurrence, before, -1);
}

/** Gives a time of day on a date (YYYY-MM-DD), in ms since the epoch. Throws RangeError for a date that does not exist. */
export function timeOn(date: string, { time, timeZone }: Omit<Recurrence, "days">): number {
  const day = Temporal.PlainDate.from(date, { overflow: "reject" });
  return day.toZonedDateTime({ timeZone, plainTime: Temporal.PlainTime.from(time) }).epochMilliseconds;
}

function findOccurrence({ time, timeZone, days }: Recurrence, from: number, step: 1 | -1): number {
  const plainTime = Temporal.PlainTime.from(time);
  const today = Temporal.Instant.fromEpochMilliseconds(from).toZonedDateTimeISO(timeZone).toPlainDate();
  // The occurrence of a date may fall on the next one, where midnight is skipped. Hence from a day before, and a week.
  for (let i = -1; i <= 8; i += 1) {
    const date = today.add({ days: i * step });
    if (days !== undefined && !days.includes(date.dayOfWeek)) continue;
    const at = date.toZonedDateTime({ timeZone, plainTime }).epochMilliseconds;
    if (step === 1 ? at > from : at <= from) return at;
  }
  throw new RangeError("expected at least one day of the week");
}
