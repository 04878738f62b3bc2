import { rawTimeZones } from "@vvo/tzdb";
import { languages } from "./phrases.ts";

/** The result of a search for a place: its IANA time zone, or the cities to choose from, or nothing. */
export type FoundPlace =
  | { readonly type: "zone"; readonly timeZone: string }
  | { readonly type: "ambiguous"; readonly cities: readonly string[] }
  | { readonly type: "unknown" };

interface Zone {
  readonly name: string;
  readonly mainCities: readonly string[];
}
type Zones = Map<string, Set<Zone>>;

const mostCities = 8;
const utc: Zone = { name: "UTC", mainCities: [] };
const { byCountry, byCity, byName } = readZones();

/**
 * Finds the time zone of a city, a country, or an IANA time zone such as Asia/Tokyo, without a network. Case, accents and
 * punctuation do not matter. A country with several time zones is ambiguous, as is a city that several countries have: "city,
 * country" tells them apart. A zone that is named after a city goes before others that have a city of this name.
 */
export function findPlace(place: string): FoundPlace {
  const whole = plainName(place);
  const [city = "", country = ""] = place.split(",", 2).map(plainName);
  const inCountry = [...(byCity.get(city) ?? [])].filter((zone) => byCountry.get(country)?.has(zone));
  const named = byName.get(whole) ?? byName.get(city) ?? byCity.get(city) ?? byCountry.get(whole) ?? [];
  const found = inCountry.length > 0 ? inCountry : [...named];
  if (found.length === 0) return { type: "unknown" };
  if (found.length === 1) return { type: "zone", timeZone: found[0]!.name };
  const largest = found.toSorted((one, other) => other.mainCities.length - one.mainCities.length);
  return { type: "ambiguous", cities: largest.slice(0, mostCities).flatMap((zone) => zone.mainCities[0] ?? []) };
}

/** Reads the zones by the names of their countries, by those of their cities, and by their own. */
function readZones(): { readonly byCountry: Zones; readonly byCity: Zones; readonly byName: Zones } {
  const countries: Zones = new Map();
  const cities: Zones = new Map();
  const names: Zones = new Map();
  const regions = languages.flatMap((language) =>
    (["long", "short"] as const).map((style) => new Intl.DisplayNames(language, { type: "region", style })),
  );
  const add = (to: Zones, name: string, zone: Zone) => {
    const key = plainName(name);
    to.set(key, (to.get(key) ?? new Set()).add(zone));
  };
  for (const zone of rawTimeZones) {
    for (const country of [zone.countryName, ...regions.map((region) => region.of(zone.countryCode) ?? "")])
      add(countries, country, zone);
    for (const city of zone.mainCities) add(cities, city, zone);
    for (const name of [zone.name, ...zone.group])
      for (const part of [name, name.split("/").at(-1) ?? name]) add(names, part, zone);
  }
  for (const name of ["UTC", "GMT"]) add(names, name, utc);
  return { byCountry: countries, byCity: cities, byName: names };
}

function plainName(name: string): string {
  return name
    .normalize("NFD")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, "");
}
