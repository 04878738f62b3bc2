import { expect, test } from "vitest";
import { findPlace } from "./places.ts";

test.each([
  ["Tokyo", "Asia/Tokyo"],
  ["tokyo, japan", "Asia/Tokyo"],
  ["Japan", "Asia/Tokyo"],
  ["日本", "Asia/Tokyo"],
  ["Österreich", "Europe/Vienna"],
  ["osterreich", "Europe/Vienna"],
  ["Munich", "Europe/Berlin"],
  ["São Paulo", "America/Sao_Paulo"],
  ["new york", "America/New_York"],
  ["New_York", "America/New_York"],
  ["San Francisco", "America/Los_Angeles"],
  ["Sydney", "Australia/Sydney"],
  ["Sydney, Canada", "America/Halifax"],
  ["Beijing", "Asia/Shanghai"],
  ["UK", "Europe/London"],
  ["Singapore", "Asia/Singapore"],
  ["America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"],
  ["Asia/Calcutta", "Asia/Kolkata"],
  ["UTC", "UTC"],
])("places: %s is in %s", (place, timeZone) => {
  expect(findPlace(place)).toEqual({ type: "zone", timeZone });
});

test("places: a country with several time zones, or a name of several cities, gives cities to choose from", () => {
  const found = findPlace("USA");
  expect(found.type === "ambiguous" && found.cities).toContain("New York City");
  expect(found.type === "ambiguous" && found.cities.length).toBeLessThanOrEqual(8);
  expect(findPlace("Spain").type).toBe("ambiguous");
});

test.each(["", ",", "Atlantis", "constructor", "__proto__", "🏝️", "a".repeat(10_000)])(
  "places: %s is unknown",
  (place) => {
    expect(findPlace(place)).toEqual({ type: "unknown" });
  },
);

test("places: every time zone that is found is one that this program can format", () => {
  for (const zone of Intl.supportedValuesOf("timeZone")) {
    const found = findPlace(zone);
    if (found.type !== "zone") continue;
    expect(() => new Intl.DateTimeFormat("en", { timeZone: found.timeZone })).not.toThrow();
  }
});
