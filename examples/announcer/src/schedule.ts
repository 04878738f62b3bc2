import type { Announcement } from "./plan.ts";

/** Tells which announcements are due. */
export interface Schedule {
  /**
   * True once for each announcement, time zone and local day: in the minute of `now` (ms), if it is the announcement's. A time that
   * comes twice, when clocks are set back, counts once. A time that is left out, when they are set forward, never comes.
   */
  isDue(announcement: Announcement, timeZone: string, now: number): boolean;
  /** Notes what was announced in the minute of `now`. */
  done(announcement: Announcement, timeZone: string, now: number): void;
}

interface LocalTime {
  readonly date: string;
  readonly time: string;
  readonly weekday: string;
}

/** Creates a schedule that has announced nothing. */
export function createSchedule(): Schedule {
  const formats = new Map<string, Intl.DateTimeFormat>();
  const dates = new Map<Announcement, Map<string, string>>();

  function readLocal(timeZone: string, now: number): LocalTime {
    const format = formats.get(timeZone) ?? createFormat(timeZone);
    formats.set(timeZone, format);
    const parts = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
    return {
      date: `${parts["year"]}-${parts["month"]}-${parts["day"]}`,
      time: `${parts["hour"]}:${parts["minute"]}`,
      weekday: parts["weekday"]!.toLowerCase(),
    };
  }
  return {
    isDue(announcement, timeZone, now) {
      const { date, time, weekday } = readLocal(timeZone, now);
      const { at, days } = announcement;
      if (at !== time && at !== `${date}T${time}`) return false;
      if (days !== undefined && !days.some((day) => day === weekday)) return false;
      return dates.get(announcement)?.get(timeZone) !== date;
    },
    done(announcement, timeZone, now) {
      const zones = dates.get(announcement) ?? new Map<string, string>();
      dates.set(announcement, zones.set(timeZone, readLocal(timeZone, now).date));
    },
  };
}

function createFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    weekday: "short",
  });
}
