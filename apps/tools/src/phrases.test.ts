import { expect, test } from "vitest";
import { announce } from "./announcement.ts";
import { formatAgo, formatLength } from "./format.ts";
import { languages, phrasesIn, type Phrases } from "./phrases.ts";

const minute = 60_000;

/** Every sentence of a language, with and without names. */
function sayAll(phrases: Phrases): readonly string[] {
  const what = phrases.timer("5 minutes");
  return [
    ...["tea", undefined].flatMap((name) => [
      phrases.ringTimer("5 minutes", name),
      phrases.ringAlarm("1:00", name),
      phrases.ringAlarm("7:00", name),
      phrases.missedTimer("5 minutes ago", "5 minutes", name),
      phrases.missedAlarm("5 minutes ago", "7:00", name),
      phrases.rings(phrases.timer("5 minutes", name), phrases.inTime("5 minutes")),
      phrases.rings(phrases.alarm("7:00", name), phrases.every("Monday")),
      phrases.rings(phrases.alarm("7:00", name), phrases.onDate("May 1")),
      phrases.canceled(phrases.timer("5 minutes", name)),
    ]),
    phrases.rings(what, phrases.everyDay),
    phrases.none,
    phrases.canceledMany(3),
    phrases.notFound("tea"),
    phrases.tooMany(20),
    phrases.time("7:00", "May 1"),
    phrases.time("1:00", "May 1", "Tokyo"),
    phrases.unknownPlace("Atlantis"),
    phrases.choosePlace("Spain", "Madrid"),
    ...(["volume", "brightness"] as const).flatMap((name) => [phrases.level(name, 50), phrases.noLevel(name)]),
    phrases.ending,
  ];
}

test.each(languages)("phrases: every sentence in %s is complete, and no two are the same", (language) => {
  const all = sayAll(phrasesIn(language).phrases);
  for (const sentence of all) {
    expect(sentence).toMatch(language === "zh" ? /。$/ : /^[\p{Lu}\p{N}].*\.$/u);
    expect(sentence).not.toMatch(/undefined|NaN|\[object| {2}|[,，][.。]/);
  }
  expect(new Set(all).size).toBe(all.length);
});

test("phrases: a language without sentences is spoken and formatted in English", () => {
  expect(phrasesIn("it-IT").language).toBe("en");
  expect(phrasesIn("de-AT").language).toBe("de-AT");
  expect(phrasesIn("constructor").language).toBe("en");
});

test.each([
  ["en", "Your timer for 1 hour and 5 minutes is done.", "Your timer for 1 hour and 5 minutes ended 10 minutes ago."],
  [
    "de",
    "Dein Timer über 1 Stunde und 5 Minuten ist abgelaufen.",
    "Dein Timer über 1 Stunde und 5 Minuten ist vor 10 Minuten abgelaufen.",
  ],
  [
    "fr",
    "Votre minuteur de 1 heure et 5 minutes est terminé.",
    "Votre minuteur de 1 heure et 5 minutes s'est terminé il y a 10 minutes.",
  ],
  [
    "es",
    "Tu temporizador de 1 hora y 5 minutos ha terminado.",
    "Tu temporizador de 1 hora y 5 minutos terminó hace 10 minutos.",
  ],
  ["zh", "您的1小时和5分钟计时器到时间了。", "您的1小时和5分钟计时器在10分钟前结束了。"],
])("phrases: a timer without a name is announced by its length in %s", (language, onTime, late) => {
  const timer = { device: "d", kind: "timer", ms: 65 * minute, dueAt: 100 * minute } as const;
  expect(announce(timer, 100 * minute, language)).toEqual({ text: onTime, language });
  expect(announce(timer, 110 * minute, language).text).toBe(late);
});

test("phrases: lengths and times past are given in their largest units", () => {
  expect(formatLength(90_000, "en")).toBe("1 minute and 30 seconds");
  expect(formatLength(1, "en")).toBe("1 second");
  expect(formatLength(24 * 60 * minute, "en")).toBe("24 hours");
  expect(formatAgo(minute, "en")).toBe("1 minute ago");
  expect(formatAgo(119 * minute, "en")).toBe("119 minutes ago");
  expect(formatAgo(3 * 60 * minute, "en")).toBe("3 hours ago");
  expect(formatAgo(50 * 60 * minute, "en")).toBe("2 days ago");
});
