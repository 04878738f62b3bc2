import { defineIntent, type Answer, type Intent, type IntentContext } from "./intent.ts";
import { clockTime, nextTime, plainTime, saidTime } from "./clock-time.ts";
import { createChoiceSlot } from "./slot.ts";

const unitLengths: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000 };
const longestTimer = 24 * 3_600_000;

const place = createChoiceSlot({
  london: "London",
  paris: "Paris",
  berlin: "Berlin",
  moscow: "Moscow",
  beijing: "Beijing",
  tokyo: "Tokyo",
  sydney: "Sydney",
  "new york": "New York",
  chicago: "Chicago",
  "los angeles": "Los Angeles",
});

const weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday"] as const;
const weekend = ["saturday", "sunday"] as const;
/** Days of an alarm, in the words of `set_alarm`, with commas. */
const when = createChoiceSlot({
  tomorrow: "tomorrow",
  "every day": [...weekdays, ...weekend].join(),
  "every weekday": weekdays.join(),
  "on weekdays": weekdays.join(),
  "on weekends": weekend.join(),
  ...Object.fromEntries([...weekdays, ...weekend].map((day) => [`every ${day}`, day])),
});
/** Names of timers that can be heard. */
const name = createChoiceSlot(
  Object.fromEntries("tea coffee egg pasta pizza rice cake bread laundry".split(" ").map((word) => [word, word])),
);

/** Intents about time, date, timers and alarms. In typed text, places and names can be any words. */
export const clockIntents: readonly Intent[] = [
  defineIntent({
    name: "time",
    phrases: [
      "what time is it [now]",
      "what is the time",
      "tell me the time",
      "do you know what time it is",
      "can you tell me the time",
    ],
    answer: (context) => ({
      text: `It is ${format(context, { hour: "numeric", minute: "2-digit" })}.`,
      emotion: "neutral",
    }),
  }),
  defineIntent({
    name: "time at a place",
    slots: { place },
    phrases: ["what time is it in {place}", "what is the time in {place}"],
    typed: ["what time is it in {place:words}", "what is the time in {place:words}"],
    answer: tellTimeAt,
  }),
  defineIntent({
    name: "date",
    phrases: [
      "what day is it [today]",
      "what day is today",
      "what is the date [today]",
      "what is today's date",
      "tell me the date",
    ],
    answer: (context) => ({
      text: `Today is ${format(context, { weekday: "long", month: "long", day: "numeric" })}.`,
      emotion: "neutral",
    }),
  }),
  defineIntent({
    name: "timer",
    slots: { name },
    phrases: [
      "set a timer for {number} {unit}",
      "set a {number} {unit} timer",
      "set a {name} timer for {number} {unit}",
      "start a timer for {number} {unit}",
      "start a {number} {unit} timer",
      "remind me in {number} {unit}",
      "wake me [up] in {number} {unit}",
    ],
    typed: [
      "set a {name:words} timer for {number} {unit}",
      "set a {number} {unit} {name:words} timer",
      "set a {number} {unit} timer for {name:words}",
      "set a timer for {number} {unit} named {name:words}",
      "set a timer for {number} {unit} for {name:words}",
      "start a {name:words} timer for {number} {unit}",
      "remind me to {name:words} in {number} {unit}",
      "remind me in {number} {unit} to {name:words}",
    ],
    answer: async ({ slots, ...context }, signal) => {
      const unit = String(slots["unit"]);
      const count = Number(slots["number"]);
      const ms = count * (unitLengths[unit] ?? 0);
      if (ms < 1000 || ms > longestTimer) {
        return { text: "I can keep a timer of one second up to twenty four hours.", emotion: "confused" };
      }
      return useTimers(context, "set_timer", { [`${unit}s`]: count, ...nameOf(slots) }, signal);
    },
  }),
  defineIntent({
    name: "alarm",
    slots: { time: clockTime, when },
    phrases: ["set an alarm for {time} [{when}]", "wake me [up] at {time} [{when}]"],
    // A name can be any words, so phrases with a day after the name go before those without.
    typed: [
      "set the alarm for {time} [{when}]",
      "set an alarm for {when} at {time}",
      "set an alarm {when} at {time}",
      "set a {name:words} alarm for {time} [{when}]",
      "set an alarm for {time} named {name:words} {when}",
      "set an alarm for {time} [{when}] named {name:words}",
      "wake me [up] {when} at {time}",
      "remind me to {name:words} {when} at {time}",
      "remind me to {name:words} at {time} [{when}]",
      "remind me at {time} to {name:words} {when}",
      "remind me at {time} [{when}] to {name:words}",
      "remind me {when} at {time} to {name:words}",
    ],
    answer: ({ slots, ...context }, signal) => {
      const days = slots["when"] === undefined ? undefined : String(slots["when"]);
      const read = String(slots["time"]);
      const { date, time } = localTime(context);
      return useTimers(
        context,
        "set_alarm",
        {
          time: days === undefined ? nextTime(read, time) : plainTime(read),
          ...(days === "tomorrow" && { date: dayAfter(date) }),
          ...(days !== undefined && days !== "tomorrow" && { days: days.split(",") }),
          ...nameOf(slots),
        },
        signal,
      );
    },
  }),
  defineIntent({
    name: "list timers",
    phrases: ["list my timers", "list my alarms", "which timers are running", "how much time is left [on the timer]"],
    answer: (context, signal) => useTimers(context, "list_timers", {}, signal),
  }),
  defineIntent({
    name: "cancel all",
    phrases: ["cancel all timers and alarms"],
    typed: ["cancel everything"],
    answer: (context, signal) => useTimers(context, "cancel_timers", {}, signal),
  }),
  defineIntent({
    name: "cancel timer",
    slots: { name },
    phrases: [
      "cancel the timer",
      "stop the timer",
      "cancel all timers",
      "cancel my timer",
      "cancel the {number} {unit} timer",
      "cancel the {name} timer",
    ],
    typed: [
      "stop the {number} {unit} timer",
      "cancel my {number} {unit} timer",
      "cancel the timer for {number} {unit}",
      "cancel my {name:words} timer",
      "cancel the {name:words} timer",
      "stop the {name:words} timer",
      "cancel the timer for {name:words}",
    ],
    answer: ({ slots, ...context }, signal) => {
      const { number: count, unit } = slots;
      const length = count === undefined ? {} : { name: `${count} ${unit}${count === 1 ? "" : "s"}` };
      return useTimers(context, "cancel_timers", { kind: "timer", ...nameOf(slots), ...length }, signal);
    },
  }),
  defineIntent({
    name: "cancel alarm",
    slots: { time: clockTime },
    phrases: ["cancel the alarm", "cancel my alarm", "cancel all alarms", "cancel the alarm for {time}"],
    typed: [
      "cancel the {time} alarm",
      "cancel my {time} alarm",
      "cancel the {name:words} alarm",
      "cancel my {name:words} alarm",
    ],
    answer: ({ slots, ...context }, signal) => {
      const { time } = slots;
      const at = time === undefined ? {} : { name: saidTime(String(time)) };
      return useTimers(context, "cancel_timers", { kind: "alarm", ...nameOf(slots), ...at }, signal);
    },
  }),
];

type Tools = Pick<IntentContext, "tools" | "callTool">;

/** Gives the name that a user gave. The tools take 64 characters of it. */
function nameOf(slots: IntentContext["slots"]): { readonly name?: string } {
  const given = slots["name"];
  return given === undefined ? {} : { name: String(given).slice(0, 64) };
}

/** Gives the date (YYYY-MM-DD) and the time (HH:MM) where the device is. */
function localTime({ now, timeZone }: Pick<IntentContext, "now" | "timeZone">) {
  // Swedish writes dates and times so.
  const [date = "", time = ""] = new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "short", timeZone })
    .format(now)
    .split(" ");
  return { date, time };
}

function dayAfter(date: string): string {
  return new Date(Date.parse(date) + 24 * 3_600_000).toISOString().slice(0, 10);
}

/** Answers with the sentence of a tool for timers. Another program has these tools, and may not run. */
async function useTimers(
  { tools, callTool }: Tools,
  name: string,
  args: Readonly<Record<string, unknown>>,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  try {
    if (callTool !== undefined && tools.includes(name))
      return { text: await callTool(name, args, signal), emotion: "happy" };
  } catch {
    signal?.throwIfAborted();
  }
  return { text: "I cannot set timers now.", emotion: "sad" };
}

/** Tells the time at a place. Another program knows it, and may not run. */
async function tellTimeAt({ tools, callTool, slots }: IntentContext, signal?: AbortSignal): Promise<Answer> {
  try {
    if (callTool !== undefined && tools.includes("get_time"))
      return { text: await callTool("get_time", { place: nameOfPlace(slots) }, signal), emotion: "neutral" };
  } catch {
    signal?.throwIfAborted();
  }
  return { text: "I cannot look up the time of other places now.", emotion: "sad" };
}

/** Gives the name of a place as it is written. */
function nameOfPlace(slots: IntentContext["slots"]): string {
  return String(slots["place"]).replaceAll(/(?<!\p{L})\p{L}/gu, (letter) => letter.toUpperCase());
}

function format({ now, timeZone, locale }: IntentContext, options: Intl.DateTimeFormatOptions): string {
  // The sentence around it is English. An English voice would mispronounce another locale's names.
  const language = locale.startsWith("en") ? locale : "en-US";
  return new Intl.DateTimeFormat(language, { ...options, timeZone }).format(now).replaceAll("\u202f", " ");
}
