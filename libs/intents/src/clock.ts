import { defineIntent, type Intent, type IntentContext } from "./intent.ts";

const unitLengths: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000 };
const longestTimer = 24 * 3_600_000;

/** Intents about time, date and timers. */
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
    phrases: [
      "set a timer for {number} {unit}",
      "set a {number} {unit} timer",
      "start a timer for {number} {unit}",
      "start a {number} {unit} timer",
      "remind me in {number} {unit}",
      "wake me [up] in {number} {unit}",
    ],
    answer: async ({ slots, reminders }) => {
      const length = sayLength(Number(slots["number"]), String(slots["unit"]));
      const ms = Number(slots["number"]) * (unitLengths[String(slots["unit"])] ?? 0);
      if (reminders === undefined) return { text: "I cannot keep timers here.", emotion: "sad" };
      if (ms <= 0 || ms > longestTimer) {
        return { text: "I can keep a timer of one second up to twenty four hours.", emotion: "confused" };
      }
      await reminders.schedule(
        ms,
        `Your timer is done. ${length} ${Number(slots["number"]) === 1 ? "has" : "have"} passed.`,
      );
      return { text: `Okay, I will tell you in ${length}.`, emotion: "happy" };
    },
  }),
  defineIntent({
    name: "cancel timer",
    phrases: ["cancel the timer", "stop the timer", "cancel all timers", "cancel my timer"],
    answer: async ({ reminders }) => {
      const count = (await reminders?.cancel()) ?? 0;
      if (count === 0) return { text: "There is no timer running.", emotion: "neutral" };
      return { text: count === 1 ? "The timer is cancelled." : `${count} timers are cancelled.`, emotion: "neutral" };
    },
  }),
];

function format({ now, timeZone, locale }: IntentContext, options: Intl.DateTimeFormatOptions): string {
  // The sentence around it is English. An English voice would mispronounce another locale's names.
  const language = locale.startsWith("en") ? locale : "en-US";
  return new Intl.DateTimeFormat(language, { ...options, timeZone }).format(now).replaceAll("\u202f", " ");
}

function sayLength(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
