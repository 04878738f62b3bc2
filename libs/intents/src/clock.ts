import { defineIntent, type Answer, type Intent, type IntentContext } from "./intent.ts";
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
    name: "time at a place",
    slots: { place },
    phrases: ["what time is it in {place}", "what is the time in {place}"],
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
    phrases: [
      "set a timer for {number} {unit}",
      "set a {number} {unit} timer",
      "start a timer for {number} {unit}",
      "start a {number} {unit} timer",
      "remind me in {number} {unit}",
      "wake me [up] in {number} {unit}",
    ],
    answer: async ({ slots, ...context }, signal) => {
      const unit = String(slots["unit"]);
      const count = Number(slots["number"]);
      const ms = count * (unitLengths[unit] ?? 0);
      if (ms < 1000 || ms > longestTimer) {
        return { text: "I can keep a timer of one second up to twenty four hours.", emotion: "confused" };
      }
      return useTimers(context, "set_timer", { [`${unit}s`]: count }, signal);
    },
  }),
  defineIntent({
    name: "list timers",
    phrases: ["list my timers", "which timers are running", "how much time is left [on the timer]"],
    answer: (context, signal) => useTimers(context, "list_timers", {}, signal),
  }),
  defineIntent({
    name: "cancel timer",
    phrases: ["cancel the timer", "stop the timer", "cancel all timers", "cancel my timer"],
    answer: (context, signal) => useTimers(context, "cancel_timers", {}, signal),
  }),
];

type Tools = Pick<IntentContext, "tools" | "callTool">;

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
      return { text: await callTool("get_time", { place: String(slots["place"]) }, signal), emotion: "neutral" };
  } catch {
    signal?.throwIfAborted();
  }
  return { text: "I cannot look up the time of other places now.", emotion: "sad" };
}

function format({ now, timeZone, locale }: IntentContext, options: Intl.DateTimeFormatOptions): string {
  // The sentence around it is English. An English voice would mispronounce another locale's names.
  const language = locale.startsWith("en") ? locale : "en-US";
  return new Intl.DateTimeFormat(language, { ...options, timeZone }).format(now).replaceAll("\u202f", " ");
}
