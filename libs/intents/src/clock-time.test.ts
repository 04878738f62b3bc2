import { expect, test } from "vitest";
import { clockTime, nextTime, plainTime, saidTime } from "./clock-time.ts";
import { readWords } from "./words.ts";

const read = (text: string) => {
  const words = readWords(text);
  return clockTime.read(words, 0).find(({ length }) => length === words.length)?.value;
};

test.each([
  ["seven", "07:00?"],
  ["7", "07:00?"],
  ["seven o'clock", "07:00?"],
  ["seven thirty", "07:30?"],
  ["7:30", "07:30?"],
  ["seven forty five", "07:45?"],
  ["seven oh five", "07:05?"],
  ["twelve", "00:00?"],
  ["half past seven", "07:30?"],
  ["quarter past twelve", "00:15?"],
  ["quarter to seven", "06:45?"],
  ["quarter to one", "00:45?"],
  ["07:30", "07:30"],
  ["19:05", "19:05"],
  ["0:15", "00:15"],
  ["7:30 pm", "19:30"],
  ["7:30 p.m.", "19:30"],
  ["twelve thirty a m", "00:30"],
  ["12 pm", "12:00"],
  ["seven in the morning", "07:00"],
  ["half past seven in the evening", "19:30"],
  ["12 at night", "00:00"],
  ["12:30 at night", "00:30"],
  ["2 at night", "02:00"],
  ["5 at night", "05:00"],
  ["6 at night", "18:00"],
  ["10 at night", "22:00"],
  ["quarter to twelve at night", "23:45"],
  ["noon", "12:00"],
  ["midnight", "00:00"],
  ["24", undefined],
  ["7:60", undefined],
  ["19 pm", undefined],
  ["quarter", undefined],
  ["half past", undefined],
  ["1.5", undefined],
  ["", undefined],
])("clock time: %j is %s", (text, value) => {
  expect(read(text)).toBe(value);
});

test.each([
  ["07:30?", "06:00", "07:30"],
  ["07:30?", "07:30", "19:30"],
  ["07:30?", "14:00", "19:30"],
  ["07:30?", "19:30", "07:30"],
  ["00:00?", "11:00", "12:00"],
  ["00:15?", "13:00", "00:15"],
  ["07:30", "14:00", "07:30"],
])("clock time: at the next %s after %s it is %s", (value, now, time) => {
  expect(nextTime(value, now)).toBe(time);
});

test("clock time: without the half of the day it is as a clock of 24 hours shows it, and is said without a zero", () => {
  expect(["07:30?", "00:45?", "00:30", "19:30"].map(plainTime)).toEqual(["07:30", "12:45", "00:30", "19:30"]);
  expect(["07:30?", "00:45?", "10:00?", "07:30"].map(saidTime)).toEqual(["7:30", "12:45", "10:00", "07:30"]);
});
