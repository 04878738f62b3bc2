import { setImmediate as nextTurn } from "node:timers/promises";
import { rawTimeZones } from "@vvo/tzdb";
import { languages } from "./phrases.ts";
import { namesByArea, namesByZone } from "./place-names.ts";

/** A city with its time zone, and the country and the region that it is in. */
export interface City {
  readonly name: string;
  readonly timeZone: string;
  /** Infinity for a name that goes before all others. */
  readonly population: number;
  /** A time zone has its name. */
  readonly isNamesake?: boolean;
  readonly areas: readonly Area[];
}

/** A country or a region of one. */
export interface Area {
  readonly name: string;
  readonly cities: readonly City[];
}

/** All known places, by their plain names. */
export interface PlaceIndex {
  cities(name: string): readonly City[];
  areas(name: string): readonly Area[];
  /** Gives the areas of a name, or of a code such as TX or ES, which says in which area a city is. */
  qualifiers(name: string): readonly Area[];
}

interface GrowingArea extends Area {
  readonly cities: City[];
}

/** Cities that are indexed in one turn of the event loop: about 1 ms of work. */
const citiesPerTurn = 50;

/**
 * Indexes the cities of the world, and the names of time zones. It takes some 10 MB, so it is made when it is first needed. That takes
 * 100 to 300 ms, in short turns of the event loop. Only the load of the cities' data blocks it for longer, some 40 ms.
 */
export async function createPlaceIndex(): Promise<PlaceIndex> {
  const { cityMapping } = await import("city-timezones");
  const cities = new Map<string, Set<City>>();
  const areas = new Map<string, Set<Area>>();
  const codes = new Map<string, Set<Area>>();
  const countries = new Map<string, GrowingArea>();
  const regions = new Map<string, GrowingArea>();
  const zones = new Map(rawTimeZones.flatMap((zone) => zone.group.map((name) => [name, zone])));
  const displayNames: Intl.DisplayNames[] = [];
  for (const language of languages) {
    await nextTurn();
    for (const style of ["long", "short"] as const)
      displayNames.push(new Intl.DisplayNames(language, { type: "region", style }));
  }

  const countryOf = (code: string, name: string) => {
    const isCode = /^[A-Z]{2}$/.test(code);
    const key = isCode ? code : name;
    const known = countries.get(key);
    if (known !== undefined) return known;
    const translated = isCode ? displayNames.map((names) => names.of(code) ?? code) : [];
    const country: GrowingArea = { name: translated[1] ?? name, cities: [] };
    for (const one of [name, ...translated, ...(namesByArea.get(key) ?? [])]) add(areas, one, country);
    if (isCode) add(codes, code, country);
    countries.set(key, country);
    return country;
  };
  const regionOf = (name: string, country: string) => {
    const key = `${country}/${name}`;
    const known = regions.get(key);
    if (known !== undefined) return known;
    const region: GrowingArea = { name, cities: [] };
    for (const one of [name, ...(namesByArea.get(name) ?? [])]) add(areas, one, region);
    regions.set(key, region);
    return region;
  };

  for (const [at, one] of cityMapping.entries()) {
    if (at % citiesPerTurn === 0) await nextTurn();
    const { city: name, city_ascii, pop, iso2, country, province, state_ansi, timezone } = one;
    const zone = zones.get(timezone);
    if (zone === undefined) continue;
    const own = [countryOf(iso2, country), ...(province ? [regionOf(province, country)] : [])];
    const isNamesake = plainName(timezone.split("/").at(-1) ?? "") === plainName(name);
    const city: City = { name, timeZone: zone.name, population: pop, isNamesake, areas: own };
    for (const area of own) area.cities.push(city);
    for (const spelled of [name, city_ascii]) add(cities, spelled, city);
    if (state_ansi) for (const region of own.slice(1)) add(codes, state_ansi, region);
  }
  for (const [at, zone] of rawTimeZones.entries()) {
    if (at % citiesPerTurn === 0) await nextTurn();
    const { name: timeZone, group, mainCities, countryCode, countryName } = zone;
    const country = countryOf(countryCode, countryName);
    const areasOfZone = [country];
    for (const name of mainCities) {
      const city: City = { name, timeZone, population: 0, areas: areasOfZone };
      country.cities.push(city);
      add(cities, name, city);
    }
    const own = { name: mainCities[0] ?? timeZone, timeZone, areas: areasOfZone };
    for (const name of [timeZone, ...group])
      for (const part of [name, name.split("/").at(-1) ?? name]) add(cities, part, { ...own, population: 0 });
  }
  for (const [timeZone, names] of namesByZone) {
    const zone = zones.get(timeZone);
    const own = zone === undefined ? [] : [countryOf(zone.countryCode, zone.countryName)];
    const city: Omit<City, "name"> = { timeZone: zone?.name ?? timeZone, population: Infinity, areas: own };
    for (const name of names) add(cities, name, { ...city, name });
  }
  return {
    cities: (name) => [...(cities.get(name) ?? [])],
    areas: (name) => [...(areas.get(name) ?? [])],
    qualifiers: (name) => [...(areas.get(name) ?? []), ...(codes.get(name) ?? [])],
  };
}

function add<Place>(to: Map<string, Set<Place>>, name: string, place: Place): void {
  const key = plainName(name);
  if (key !== "") to.set(key, (to.get(key) ?? new Set()).add(place));
}

/** Gives a name without case, accents and punctuation. Saint and St., Fort and Ft. are the same, as are 广东 and 广东省. */
export function plainName(name: string): string {
  return name
    .normalize("NFD")
    .toLowerCase()
    .trim()
    .replace(/^the\s/, "")
    .replaceAll(/\bsaint\b/g, "st")
    .replaceAll(/\bfort\b/g, "ft")
    .replace(/(?<=\p{Script=Han}{2})[市省]$/u, "")
    .replaceAll(/[^\p{L}\p{N}]/gu, "");
}
