import { expect, test } from "vitest";
import { Profile } from "./profile.ts";
import { fillText, findUnknownVariables, textVariables } from "./text-variables.ts";

const noon = Date.UTC(2026, 10, 29, 11, 5);

test.each([
  ["You are {name}, in the {place}.", "You are Ada, in the hall."],
  ["{group} {timeZone} {language}", "ground Europe/Berlin Deutsch"],
  ["Es ist {time} Uhr, {date}.", "Es ist 12:05 Uhr, Sonntag, 29. November 2026."],
  ["{{name}} stands for {name}", "{name} stands for Ada"],
  ['{ name } {foo} {} {"a": {"b": 1}} {constructor}', '{ name } {foo} {} {"a": {"b": 1}} {constructor}'],
])("text: %j is filled as %j", (text, filled) => {
  const fields = { name: "Ada", place: "hall", groups: ["ground", "all"], language: "de", timeZone: "Europe/Berlin" };
  expect(fillText(text, Profile.parse(fields), noon)).toBe(filled);
});

test.each(["en-u-ca-gregory-nu-latn", "en-x-private", "qaa", "zh-Hant-TW-x-a", "de-1996", "ar-EG"])(
  "text: every variable has a value in the language %s",
  (language) => {
    const text = textVariables.map((name) => `{${name}}`).join();
    const profile = Profile.parse({ language, name: "n", place: "p", group: "g", timeZone: "Asia/Kathmandu" });
    expect(fillText(text, profile, noon)).not.toMatch(/,,|\{|,$/);
  },
);

test("text: a variable whose field is not set is empty, and a value is not filled again", () => {
  expect(fillText("<{name}{place}{group}>", Profile.parse({}), noon)).toBe("<>");
  expect(fillText("{name}", Profile.parse({ name: "{place}", place: "hall" }), noon)).toBe("{place}");
});

test("text: every variable is known, and other words in braces are found, each once", () => {
  expect(findUnknownVariables(textVariables.map((name) => `{${name}}`).join())).toEqual([]);
  expect(findUnknownVariables("{user} {name} {user} {{other}} {toString}")).toEqual(["user", "toString"]);
});
