import { expect, test } from "vitest";
import type { Announcement } from "./plan.ts";
import { createSchedule } from "./schedule.ts";

/** Goes through a time minute by minute, and lists the UTC times at which an announcement is made. */
function listTimes(announcement: Partial<Announcement>, zone: string, from: string, hours: number): readonly string[] {
  const schedule = createSchedule();
  const one = { at: "07:30", text: "x", ...announcement };
  const found: string[] = [];
  for (let minute = 0; minute < hours * 60; minute++) {
    const now = Date.parse(from) + minute * 60_000;
    if (!schedule.isDue(one, zone, now)) continue;
    schedule.done(one, zone, now);
    found.push(new Date(now).toISOString().slice(0, 16));
  }
  return found;
}

test("schedule: a time of day comes once a day, by the clock of its time zone", () => {
  expect(listTimes({}, "UTC", "2026-06-01T00:00Z", 48)).toEqual(["2026-06-01T07:30", "2026-06-02T07:30"]);
  expect(listTimes({}, "Asia/Kolkata", "2026-06-01T00:00Z", 24)).toEqual(["2026-06-01T02:00"]);
  expect(listTimes({ at: "00:00" }, "America/New_York", "2026-01-01T00:00Z", 24)).toEqual(["2026-01-01T05:00"]);
});

test("schedule: the days of the week are those of the time zone", () => {
  const days = ["mon"] as const;
  // It is Monday in Tokyo while it is still Sunday in UTC.
  expect(listTimes({ days: [...days] }, "Asia/Tokyo", "2026-06-01T00:00Z", 24 * 14)).toEqual([
    "2026-06-07T22:30",
    "2026-06-14T22:30",
  ]);
});

test("schedule: a date and a time come once", () => {
  expect(listTimes({ at: "2026-06-02T07:30" }, "UTC", "2026-06-01T00:00Z", 24 * 7)).toEqual(["2026-06-02T07:30"]);
});

test("schedule: a time that comes twice counts once, and one that is left out never comes", () => {
  expect(listTimes({ at: "02:30" }, "Europe/Berlin", "2026-10-24T22:00Z", 24)).toEqual(["2026-10-25T00:30"]);
  expect(listTimes({ at: "02:30" }, "Europe/Berlin", "2026-03-28T23:00Z", 23)).toEqual([]);
});
