import { expect, test } from "vitest";
import { lastOccurrence, nextOccurrence, timeOn } from "./recurrence.ts";

const at = (iso: string) => Date.parse(iso);
const iso = (ms: number) => new Date(ms).toISOString();
const berlin = (time: string, days?: readonly number[]) => ({ time, timeZone: "Europe/Berlin", days });

test("recurrence: the time of day stays the same when clocks are put forward or back", () => {
  expect(iso(nextOccurrence(berlin("07:00"), at("2026-03-28T06:00:00Z")))).toBe("2026-03-29T05:00:00.000Z");
  expect(iso(nextOccurrence(berlin("07:00"), at("2026-10-24T05:00:00Z")))).toBe("2026-10-25T06:00:00.000Z");
});

test("recurrence: a time that clocks skip is as much later, and one that comes twice counts once", () => {
  expect(iso(nextOccurrence(berlin("02:30"), at("2026-03-28T12:00:00Z")))).toBe("2026-03-29T01:30:00.000Z");
  const first = nextOccurrence(berlin("02:30"), at("2026-10-24T12:00:00Z"));
  expect(iso(first)).toBe("2026-10-25T00:30:00.000Z");
  expect(iso(nextOccurrence(berlin("02:30"), first))).toBe("2026-10-26T01:30:00.000Z");
});

test("recurrence: an alarm on some days rings on those days only, also a week later", () => {
  // A Monday.
  const monday = at("2026-06-01T05:00:00Z");
  expect(iso(nextOccurrence(berlin("07:00", [1]), monday - 1))).toBe("2026-06-01T05:00:00.000Z");
  expect(iso(nextOccurrence(berlin("07:00", [1]), monday))).toBe("2026-06-08T05:00:00.000Z");
  expect(iso(nextOccurrence(berlin("07:00", [6, 7]), monday))).toBe("2026-06-06T05:00:00.000Z");
  expect(iso(lastOccurrence(berlin("07:00", [6, 7]), monday))).toBe("2026-05-31T05:00:00.000Z");
  expect(iso(lastOccurrence(berlin("07:00", [1]), monday))).toBe("2026-06-01T05:00:00.000Z");
  expect(iso(lastOccurrence(berlin("07:00", [1]), monday - 1))).toBe("2026-05-25T05:00:00.000Z");
});

test("recurrence: for a year of mornings in zones all over the world, occurrences are a day apart, and last undoes next", () => {
  for (const timeZone of [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Apia",
  ]) {
    const daily = { time: "02:15", timeZone };
    let last = at("2026-01-01T00:00:00Z");
    for (let day = 0; day < 365; day += 1) {
      const next = nextOccurrence(daily, last);
      expect(lastOccurrence(daily, next)).toBe(next);
      if (day > 0) expect(Math.abs(next - last - 86_400_000)).toBeLessThanOrEqual(3_600_000);
      last = next;
    }
  }
});

test("recurrence: a date has to exist", () => {
  expect(iso(timeOn("2026-12-24", berlin("18:00")))).toBe("2026-12-24T17:00:00.000Z");
  expect(() => timeOn("2026-02-30", berlin("18:00"))).toThrow(RangeError);
  expect(() => timeOn("tomorrow", berlin("18:00"))).toThrow(RangeError);
});
