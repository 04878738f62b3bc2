import { commonSlots, type Slot, type SlotArc } from "./slot.ts";

const hours = "one two three four five six seven eight nine ten eleven twelve".split(" ");
const teens = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(" ");
const arc =
  (from: number, to: number) =>
  (word: string): SlotArc => [from, to, word];

/** Words after a time, and the half of the day that they mean. The night has hours of both. */
const halves: readonly (readonly [words: readonly string[], half: "am" | "pm" | "night"])[] = [
  [["a", "m"], "am"],
  [["am"], "am"],
  [["in", "the", "morning"], "am"],
  [["p", "m"], "pm"],
  [["pm"], "pm"],
  [["in", "the", "afternoon"], "pm"],
  [["in", "the", "evening"], "pm"],
  [["at", "night"], "night"],
];

/**
 * A time of day: "seven", "seven thirty a m", "half past seven", "19:30". The value is HH:MM in 24 hours. A time that can be in
 * either half of the day is that of the first half with a question mark: `07:30?`.
 */
export const clockTime: Slot = {
  arcs: [
    ...hours.map(arc(0, 2)),
    [2, 3],
    [2, 3, "o'clock"],
    ...teens.map(arc(2, 3)),
    ...["twenty", "thirty", "forty", "fifty"].map(arc(2, 4)),
    [2, 5, "oh"],
    [4, 3],
    ...hours.slice(0, 9).map(arc(4, 3)),
    ...hours.slice(0, 9).map(arc(5, 3)),
    ...["half", "quarter"].map(arc(0, 6)),
    [6, 8, "past"],
    [0, 7, "quarter"],
    [7, 8, "to"],
    ...hours.map(arc(8, 3)),
    [3, 1],
    ...["a", "p"].map(arc(3, 9)),
    [9, 1, "m"],
    [3, 10, "in"],
    [10, 11, "the"],
    ...["morning", "afternoon", "evening"].map(arc(11, 1)),
    ...["noon", "midnight"].map(arc(0, 1)),
  ],
  read(words, at) {
    if (words[at] === "noon") return [{ value: "12:00", length: 1 }];
    if (words[at] === "midnight") return [{ value: "00:00", length: 1 }];
    const times = [...readPart(words, at), ...readHour(words, at)];
    const read = times.flatMap(({ hour, minute, length }) => {
      const found = halves.filter(([said]) => said.every((word, i) => words[at + length + i] === word));
      const halved = found.flatMap(([said, half]) => {
        if (hour < 1 || hour > 12) return [];
        const isLate = half === "pm" || (half === "night" && hour >= 6 && hour < 12);
        return { value: format((hour % 12) + (isLate ? 12 : 0), minute), length: length + said.length };
      });
      const isOpen = hour >= 1 && hour <= 12 && !words[at]?.startsWith("0");
      return [...halved, { value: isOpen ? `${format(hour % 12, minute)}?` : format(hour, minute), length }];
    });
    return read.toSorted((one, other) => other.length - one.length);
  },
};

interface Reading {
  readonly hour: number;
  readonly minute: number;
  readonly length: number;
}

/** Reads "half past seven" and "quarter to seven". */
function readPart(words: readonly string[], at: number): readonly Reading[] {
  const minute = { half: 30, quarter: 15 }[words[at] ?? ""];
  const isTo = words[at + 1] === "to";
  if (minute === undefined || (words[at + 1] !== "past" && !isTo)) return [];
  return readNumber(words, at + 2, 12).map(({ value, length }) => {
    const hour = isTo ? ((value + 10) % 12) + 1 : value;
    return { hour, minute: isTo ? 60 - minute : minute, length: length + 2 };
  });
}

/** Reads "seven", "seven o'clock", "seven thirty" and "seven oh five". */
function readHour(words: readonly string[], at: number): readonly Reading[] {
  return readNumber(words, at, 23).flatMap(({ value: hour, length }) => {
    const after = at + length;
    const full = { hour, minute: 0, length };
    if (words[after] === "o'clock") return [{ ...full, length: length + 1 }, full];
    const skipped = words[after] === "oh" ? 1 : 0;
    const minutes = readNumber(words, after + skipped, 59);
    return [
      ...minutes.map((minute) => ({ hour, minute: minute.value, length: length + skipped + minute.length })),
      full,
    ];
  });
}

function readNumber(words: readonly string[], at: number, most: number) {
  const read = commonSlots["number"]?.read(words, at) ?? [];
  return read
    .map(({ value, length }) => ({ value: Number(value), length }))
    .filter(({ value }) => Number.isInteger(value) && value <= most);
}

function format(hour: number, minute: number): string {
  return `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
}

/** Gives a read time as HH:MM. One that can be in either half of the day is the one that comes next, at `now` (HH:MM). */
export function nextTime(read: string, now: string): string {
  if (!read.endsWith("?")) return read;
  const early = read.slice(0, -1);
  const late = format(Number(early.slice(0, 2)) + 12, Number(early.slice(3)));
  return early > now || late <= now ? early : late;
}

/** Gives a read time as HH:MM. One that can be in either half of the day is the one that a clock of 24 hours shows. */
export function plainTime(read: string): string {
  const time = read.replace("?", "");
  return read.endsWith("?") && time.startsWith("00:") ? `12${time.slice(2)}` : time;
}

/** Gives a read time as it is said: 7:30 if it can be in either half of the day, and else 07:30 or 19:30. */
export function saidTime(read: string): string {
  return read.endsWith("?") ? plainTime(read).replace(/^0/, "") : read;
}
