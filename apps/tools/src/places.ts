import { createPlaceIndex, plainName, type Area, type City, type PlaceIndex } from "./place-index.ts";

/** The result of a search for a place: its IANA time zone, or the cities to choose from, or nothing. */
export type FoundPlace =
  | { readonly type: "zone"; readonly timeZone: string }
  | { readonly type: "ambiguous"; readonly cities: readonly string[] }
  | { readonly type: "unknown" };

const unknown: FoundPlace = { type: "unknown" };
const mostCities = 8;
/** An area has the time zone of this share of the people in its cities. */
const clearShare = 0.8;
/** A place is meant if it is this many times as large as the next one of its name. */
const clearFactor = 2.2;
/** A city that gave a time zone its name counts as this many times as large. */
const namesakeWeight = 4;

/** Finds the time zone of a city, a region, a country, or an IANA time zone such as Asia/Tokyo, without a network. */
export type FindPlace = (place: string) => Promise<FoundPlace>;

/**
 * Creates a search for places. Case, accents and punctuation do not matter. If several places have a name, the one that is far
 * larger than the others is meant. "City, region" and "city, country" tell them apart, and mean no other place. An area has the
 * time zone of most of its people. Without a clear answer there are cities to choose from.
 */
export function createPlaceFinder(): FindPlace {
  let index: Promise<PlaceIndex> | undefined;
  return async (place) => {
    index ??= createPlaceIndex();
    return findPlace(place, await index);
  };
}

function findPlace(place: string, places: PlaceIndex): FoundPlace {
  const whole = plainName(place);
  const named = [...places.cities(whole).map(ofCity), ...places.areas(whole).map((area) => ofArea(area))];
  if (named.length > 0) return decide(named);
  if (place.includes(",")) return findQualified(place.split(",").map(plainName), places);
  return findSplit(place, places);
}

/**
 * Finds "city, region, country". If the city is not known there, only a region or a country with a single time zone has its time.
 * CA is California and Canada: the one meant has the time zone of a known city of the name.
 */
function findQualified([city = "", ...within]: readonly string[], places: PlaceIndex): FoundPlace {
  const found = findWithin(city, within, places);
  if (found.length > 0) return decide(found.map(ofCity));
  const [region = ""] = within;
  const areas = places.qualifiers(region);
  const zones = new Set(places.cities(city).map(({ timeZone }) => timeZone));
  const likely = areas.filter((area) => area.cities.some(({ timeZone }) => zones.has(timeZone)));
  return decide((likely.length > 0 ? likely : areas).map((area) => ofArea(area, 1)));
}

/** Finds "city region", "city region country" and, in scripts without spaces, the areas before the city. */
function findSplit(place: string, places: PlaceIndex): FoundPlace {
  for (const [first, rest] of splitName(place)) {
    const city = plainName(first);
    if (places.cities(city).length === 0) continue;
    for (const within of [[rest], ...splitName(rest)]) {
      const found = findWithin(city, within.map(plainName), places);
      if (found.length > 0) return decide(found.map(ofCity));
    }
  }
  return unknown;
}

/** Gives each way to split a name in two, the narrower place first. */
function splitName(name: string): readonly (readonly [narrow: string, wide: string])[] {
  if (/^\p{Script=Han}+$/u.test(name)) return Array.from(name, (_, at) => [name.slice(at), name.slice(0, at)]);
  const words = name.split(/[\s_]+/);
  return words.map((_, at) => [words.slice(0, at).join(" "), words.slice(at).join(" ")]);
}

/** Gives the cities of a name that are in each of some areas. */
function findWithin(city: string, within: readonly string[], places: PlaceIndex): readonly City[] {
  const areas = within.map(places.qualifiers);
  return places.cities(city).filter((one) => areas.every((some) => some.some((area) => one.areas.includes(area))));
}

/** A place that a name can mean. */
interface Candidate {
  readonly weight: number;
  /** Undefined: there are several. */
  readonly timeZone: string | undefined;
  /** The city, or the largest city of each time zone. */
  readonly cities: readonly City[];
  readonly area?: Area;
}

function ofCity(city: City): Candidate {
  const weight = city.isNamesake ? namesakeWeight * city.population : city.population;
  return { weight, timeZone: city.timeZone, cities: [city] };
}

function ofArea(area: Area, share = clearShare): Candidate {
  const zones = new Map<string, { population: number; largest: City }>();
  for (const city of area.cities) {
    const { population = 0, largest = city } = zones.get(city.timeZone) ?? {};
    zones.set(city.timeZone, {
      population: population + city.population,
      largest: city.population > largest.population ? city : largest,
    });
  }
  const ranked = [...zones].toSorted(([, one], [, other]) => other.population - one.population);
  const weight = ranked.reduce((sum, [, { population }]) => sum + population, 0);
  const [timeZone, most] = ranked[0] ?? [];
  const isClear = ranked.length === 1 || (most?.population ?? 0) > share * weight;
  const largest = ranked.map(([, { largest: city }]) => city);
  return { weight, timeZone: isClear ? timeZone : undefined, cities: largest, area };
}

function decide(candidates: readonly Candidate[]): FoundPlace {
  const ranked = candidates.toSorted((one, other) => other.weight - one.weight);
  const meant = ranked.filter(({ weight }) => weight * clearFactor >= (ranked[0]?.weight ?? 0));
  const zones = new Set(meant.map(({ timeZone }) => timeZone));
  const [timeZone] = zones;
  if (meant.length === 0) return unknown;
  if (timeZone !== undefined && zones.size === 1) return { type: "zone", timeZone };
  return { type: "ambiguous", cities: nameChoices(meant).slice(0, mostCities) };
}

/**
 * Names the cities of areas, and each city that is meant itself with its country. If others of its name are in the country, it is
 * named with its region.
 */
function nameChoices(meant: readonly Candidate[]): readonly string[] {
  const own = meant.flatMap(({ area, cities }) => (area === undefined ? cities : []));
  const areas = meant.filter(({ area }) => area !== undefined && !own.some((city) => city.areas.includes(area)));
  const named = own.map(({ name, areas: [country, region] }) => {
    const isAlone = own.filter((city) => city.areas[0] === country).length === 1;
    const within = isAlone ? country : (region ?? country);
    return within === undefined ? name : `${name}, ${within.name}`;
  });
  return [...new Set([...named, ...areas.flatMap(({ cities }) => cities.map(({ name }) => name))])];
}
