const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Writes a length of time in whole seconds, such as "1 hour, 30 minutes". */
export function formatLength(ms: number, language: string): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  const parts = [
    { unit: "hour", count: Math.floor(seconds / 3600) },
    { unit: "minute", count: Math.floor(seconds / 60) % 60 },
    { unit: "second", count: seconds % 60 },
  ];
  const texts = parts.flatMap(({ unit, count }) => (count === 0 ? [] : formatCount(count, unit, language)));
  return plainSpaces(new Intl.ListFormat(language).format(texts));
}

/** Writes a length of time in each unit that it is a whole number of, such as "90 minutes". */
export function formatInUnits(ms: number, language: string): readonly string[] {
  const units = { hour: hourMs, minute: minuteMs, second: 1000 };
  return Object.entries(units).flatMap(([unit, length]) =>
    ms % length === 0 ? plainSpaces(formatCount(ms / length, unit, language)) : [],
  );
}

function formatCount(count: number, unit: string, language: string): string {
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long", useGrouping: false }).format(
    count,
  );
}

/** Writes how long ago something was, in its largest unit, such as "5 minutes ago". */
export function formatAgo(ms: number, language: string): string {
  const [unit, length] = (
    [
      ["day", dayMs],
      ["hour", hourMs],
      ["minute", minuteMs],
    ] as const
  ).find(([, length]) => ms >= length * 2) ?? ["minute", minuteMs];
  return plainSpaces(new Intl.RelativeTimeFormat(language).format(-Math.max(1, Math.round(ms / length)), unit));
}

/** Writes a time of day, such as "7:00 AM". `at` in ms since the epoch. */
export function formatTime(at: number, timeZone: string, language: string): string {
  const options = { hour: "numeric", minute: "2-digit", timeZone } as const;
  return plainSpaces(new Intl.DateTimeFormat(language, options).format(at));
}

/** Writes a date with its day of the week, such as "Thursday, November 20", and with `more`. `at` in ms since the epoch. */
export function formatDate(
  at: number,
  timeZone: string,
  language: string,
  more: Pick<Intl.DateTimeFormatOptions, "year"> = {},
): string {
  const options = { weekday: "long", month: "long", day: "numeric", timeZone, ...more } as const;
  return new Intl.DateTimeFormat(language, options).format(at);
}

/** Writes days of the week, 1 for Monday to 7 for Sunday, such as "Monday and Friday". */
export function formatDays(days: readonly number[], language: string): string {
  const format = new Intl.DateTimeFormat(language, { weekday: "long", timeZone: "UTC" });
  const names = days.toSorted((one, other) => one - other).map((day) => format.format(mondayMs + (day - 1) * dayMs));
  return new Intl.ListFormat(language).format(names);
}

/** Writes a list of alternatives. */
export function formatChoice(names: readonly string[], language: string): string {
  return new Intl.ListFormat(language, { type: "disjunction" }).format(names);
}

/** Some voices read other spaces as letters. */
function plainSpaces(text: string): string {
  return text.replaceAll(/\p{Zs}/gu, " ");
}

/** A Monday in 1970, ms since the epoch. */
const mondayMs = 4 * dayMs;
