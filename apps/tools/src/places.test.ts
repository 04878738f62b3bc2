import { expect, onTestFinished, test } from "vitest";
import { createPlaceIndex } from "./place-index.ts";
import { namesByArea, namesByZone } from "./place-names.ts";
import { createPlaceFinder } from "./places.ts";

const findPlace = createPlaceFinder();

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
])("places: %s is in %s", async (place, timeZone) => {
  expect(await findPlace(place)).toEqual({ type: "zone", timeZone });
});

test.each([
  ["America/New_York", "Boston, Miami, Atlanta, Washington, Washington D.C., Detroit, Philadelphia, Florida, Kentucky"],
  ["America/Chicago", "Houston, Dallas, Saint Louis, St. Louis, Nashville, New Orleans, Texas, Illinois, Minnesota"],
  ["America/Denver", "Denver, Salt Lake City, Colorado, Montana"],
  ["America/Los_Angeles", "Seattle, Las Vegas, Portland, California, Washington State, Kalifornien, Californie, 加州"],
  ["Asia/Shanghai", "Shenzhen, Guangzhou, China, Tibet, Peking, Pékin, 北京, 上海, 深圳, 中国上海, Guangdong"],
  ["Asia/Kolkata", "Bangalore, Bengaluru, Chennai, New Delhi, Mumbai, Bombay, Neu-Delhi, 孟买, Kerala"],
  ["Europe/London", "Edinburgh, Liverpool, Birmingham, England, Scotland, Wales, Schottland, Londres, 伦敦, the UK"],
  ["Europe/Berlin", "Frankfurt, Stuttgart, München, Köln, Hannover, Múnich, Bavaria, Alemania, Allemagne, 柏林, 德国"],
  ["Europe/Rome", "Venice, Florence, Venedig, Mailand, Milán, Roma, Florencia, 罗马, Tuscany"],
  ["Europe/Madrid", "Ibiza, Seville, Sevilla, Barcelona, Spain, Granada, Catalonia, Espagne, Spanien, 西班牙"],
  ["Asia/Tokyo", "Kyoto, Osaka, 東京, 东京, 日本东京, Tokio, Kioto, Japón"],
  ["Europe/Brussels", "Ghent, Gent, Brügge, Bruges, Brüssel"],
  ["Europe/Athens", "Crete, Rhodes, Athen"],
  ["Europe/Vienna", "Wien, Vienne, Viena, 维也纳"],
  ["Europe/Moscow", "Moscow, Moskau, Moscou, Moscú, 莫斯科, Saint Petersburg"],
  ["Europe/Amsterdam", "The Hague, Den Haag, the Netherlands, Holland"],
  ["America/Sao_Paulo", "Brazil, Rio de Janeiro, Brasilien"],
  ["America/Santiago", "Santiago"],
  ["Africa/Cairo", "Alexandria, Kairo, El Cairo, Le Caire, 开罗"],
  ["Australia/Sydney", "Melbourne, Canberra, New South Wales, 悉尼"],
])("places: these are in %s: %s", async (timeZone, names) => {
  const found = await Promise.all(names.split(", ").map(async (name) => ({ name, ...(await findPlace(name)) })));
  expect(found).toEqual(names.split(", ").map((name) => ({ name, type: "zone", timeZone })));
});

test.each([
  ["Paris, Texas", "America/Chicago"],
  ["Paris, TX", "America/Chicago"],
  ["paris texas", "America/Chicago"],
  ["Houston, Texas, USA", "America/Chicago"],
  ["Houston Texas USA", "America/Chicago"],
  ["Springfield Illinois USA", "America/Chicago"],
  ["New York New York USA", "America/New_York"],
  ["Springfield Illinois Canada", undefined],
  ["El Paso, TX", "America/Denver"],
  ["Paris, France", "Europe/Paris"],
  ["巴黎, 法国", "Europe/Paris"],
  ["法国巴黎", "Europe/Paris"],
  ["London, Ontario", "America/Toronto"],
  ["london ontario", "America/Toronto"],
  ["London, England", "Europe/London"],
  ["Birmingham, Alabama", "America/Chicago"],
  ["Melbourne, Florida", "America/New_York"],
  ["Vancouver, Washington", "America/Los_Angeles"],
  ["Portland, Maine", "America/New_York"],
  ["Perth, Scotland", "Europe/London"],
  ["Las Vegas, New Mexico", "America/Denver"],
  ["Sydney, Nova Scotia", "America/Halifax"],
  ["Washington, D.C., USA", "America/New_York"],
  ["San José, Costa Rica", "America/Costa_Rica"],
  ["San Jose, CA", "America/Los_Angeles"],
  ["Palo Alto, CA", "America/Los_Angeles"],
  ["Cupertino, CA", "America/Los_Angeles"],
  ["Mountain View, CA, USA", "America/Los_Angeles"],
  ["München, Bayern", "Europe/Berlin"],
  ["Shibuya, Tokyo", "Asia/Tokyo"],
  ["Smallville, Kansas City", undefined],
  ["Smallville, Arkansas", "America/Chicago"],
  ["Paris, Nowhere", undefined],
  ["Paris, London", undefined],
])("places: the place in a region or a country is meant, and no other: %s is in %s", async (place, timeZone) => {
  expect(await findPlace(place)).toEqual(timeZone === undefined ? { type: "unknown" } : { type: "zone", timeZone });
});

test.each([
  ["America/New_York", "EST, EDT, ET, Eastern Time"],
  ["America/Chicago", "CST, CDT, Central Time"],
  ["America/Denver", "MST, MDT, Mountain Time"],
  ["America/Los_Angeles", "PST, PDT, PT, Pacific Time"],
  ["Pacific/Honolulu", "HST"],
  ["Europe/Berlin", "CET, CEST, MEZ, MESZ"],
  ["Europe/Athens", "EET"],
  ["Europe/London", "BST"],
  ["Asia/Kolkata", "IST"],
  ["Asia/Tokyo", "JST"],
  ["UTC", "UTC, GMT"],
])("places: the time of %s has these abbreviations: %s", async (timeZone, names) => {
  for (const name of names.split(", ")) expect(await findPlace(name), name).toEqual({ type: "zone", timeZone });
});

test("places: every name of our own is found", async () => {
  for (const [timeZone, names] of namesByZone)
    for (const name of names) expect(await findPlace(name), name).toEqual({ type: "zone", timeZone });
  for (const names of namesByArea.values())
    for (const name of names.filter((one) => one.length > 3))
      expect((await findPlace(name)).type, name).not.toBe("unknown");
});

test.each([
  ["USA", ["New York", "Chicago", "Los Angeles", "Denver", "Phoenix", "Honolulu"]],
  ["Canada", ["Toronto", "Vancouver"]],
  ["Tennessee", ["Memphis", "Knoxville"]],
  ["Smallville, Texas", ["Houston", "El Paso"]],
  ["Smallville, CA", ["Los Angeles", "Toronto"]],
  ["Springfield", ["Springfield, Massachusetts", "Springfield, Missouri"]],
  ["San Jose", ["San Jose, US", "San Jose, Costa Rica"]],
  ["Valencia", ["Valencia, Spain", "Valencia, Venezuela"]],
  ["Georgia", ["Atlanta", "Tbilisi"]],
])("places: %s is open, so there are cities to choose from, and each is found", async (place, cities) => {
  const found = await findPlace(place);
  expect(found).toMatchObject({ type: "ambiguous", cities: expect.arrayContaining(cities) as unknown });
  const choices = found.type === "ambiguous" ? found.cities : [];
  expect(choices.length).toBeLessThanOrEqual(8);
  for (const choice of choices) expect((await findPlace(choice)).type, choice).toBe("zone");
});

test.each(["", ",", "Atlantis", "constructor", "__proto__", "🏝️", "a".repeat(10_000)])(
  "places: %s is unknown",
  async (place) => {
    expect(await findPlace(place)).toEqual({ type: "unknown" });
  },
);

test("places: every time zone that is found is one that this program can format", async () => {
  for (const zone of Intl.supportedValuesOf("timeZone")) {
    const found = await findPlace(zone);
    if (found.type !== "zone") continue;
    expect(() => new Intl.DateTimeFormat("en", { timeZone: found.timeZone })).not.toThrow();
  }
});

test("places: while the index is made, the process does other work", async () => {
  let turns = 0;
  const count = () => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  onTestFinished(() => clearImmediate(next));
  await createPlaceIndex();
  expect(turns).toBeGreaterThan(50);
});
