import { expect, it } from "vitest";
import { minutesEast } from "./time-zone.ts";

const winter = new Date("2026-01-15T12:00:00Z");
const summer = new Date("2026-07-15T12:00:00Z");

it.each([
  ["Europe/Berlin", 60, 120],
  ["America/New_York", -300, -240],
  ["Asia/Kathmandu", 345, 345],
  ["America/St_Johns", -210, -150],
  ["Australia/Lord_Howe", 660, 630],
  ["Asia/Shanghai", 480, 480],
  ["UTC", 0, 0],
])("time zone %s: is %i minutes east in January, and %i in July", (zone, inWinter, inSummer) => {
  expect([minutesEast(winter, zone), minutesEast(summer, zone)]).toEqual([inWinter, inSummer]);
});

it("time zone: changes at the very second at which daylight saving does", () => {
  expect(minutesEast(new Date("2026-03-29T00:59:59Z"), "Europe/Berlin")).toBe(60);
  expect(minutesEast(new Date("2026-03-29T01:00:00Z"), "Europe/Berlin")).toBe(120);
});

it("without a time zone: it is that of this machine", () => {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  expect(minutesEast(summer, undefined)).toBe(minutesEast(summer, timeZone));
});
