import type { Reminder } from "@voxbus/protocol";
import { ToolError, z, type OfferTool, type ToolCallInfo } from "@voxbus/subscriber";
import { formatDate, formatDays, formatInUnits, formatLength, formatTime } from "./format.ts";
import { phrasesIn } from "./phrases.ts";
import { nextOccurrence, timeOn } from "./recurrence.ts";
import { maxPerDevice, TooManyRemindersError, type ReminderBook, type StoredReminder } from "./reminder-book.ts";
import { findNamed } from "./reminder-names.ts";
import { placeOf, type ToolDeps } from "./tool-deps.ts";

/** Dependencies of the tools for timers and alarms. */
export interface TimerToolDeps extends ToolDeps {
  readonly book: ReminderBook;
}

const weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;
const longestMs = 24 * 3_600_000;
const furthestMs = 366 * 24 * 3_600_000;
/** Of more, only the number is told. */
const mostNamed = 3;

const name = z.string().trim().min(1).max(64).optional().describe("What it is for, in the user's words, such as tea");

/** Offers the tools that set, list and cancel timers and alarms. */
export function offerTimers(tool: OfferTool, deps: TimerToolDeps): void {
  offerTimer(tool, deps);
  offerAlarm(tool, deps);
  tool(
    {
      name: "list_timers",
      description: "Lists the timers and alarms of the device, with the times at which they ring.",
    },
    async (_, call) => {
      const { phrases, describe } = speakTo(call, deps);
      const all = await deps.book.list(call.device);
      return all.length === 0 ? phrases.none : all.map(describe).join(" ");
    },
  );
  tool(
    {
      name: "cancel_timers",
      description: "Cancels a timer or an alarm of the device, or all of them.",
      schema: z.object({
        name: name.describe("Its name, length or time of day, such as tea, 5 minutes or 07:30. Leave it out for all."),
        kind: z.enum(["timer", "alarm"]).optional().describe("Leave it out for both kinds"),
      }),
      finishes: true,
    },
    async ({ name: wanted, kind }, call) => {
      const { phrases, nameOf, labelsOf, describe } = speakTo(call, deps);
      const all = (await deps.book.list(call.device)).filter((one) => kind === undefined || kindOf(one) === kind);
      if (all.length === 0) return phrases.none;
      const chosen =
        wanted === undefined ? all : findNamed(wanted, all, (one) => ({ name: one.name, labels: labelsOf(one) }));
      if (chosen.length === 0) return [phrases.notFound(wanted ?? ""), ...all.map(describe)].join(" ");
      for (const { id } of chosen) await deps.book.remove(id);
      if (chosen.length > mostNamed) return phrases.canceledMany(chosen.length);
      return chosen.map((one) => phrases.canceled(nameOf(one))).join(" ");
    },
  );
}

function offerTimer(tool: OfferTool, deps: TimerToolDeps): void {
  const part = (unit: string, most: number) => z.number().min(0).max(most).optional().describe(unit);
  tool(
    {
      name: "set_timer",
      description:
        "Sets a timer of at most 24 hours. It rings on the device by itself, also after the end of the conversation.",
      schema: z.object({
        hours: part("Hours", 24),
        minutes: part("Minutes", 1440),
        seconds: part("Seconds", 86_400),
        name,
      }),
      finishes: true,
    },
    async ({ hours = 0, minutes = 0, seconds = 0, name }, call) => {
      const ms = ((hours * 60 + minutes) * 60 + seconds) * 1000;
      if (ms < 1000 || ms > longestMs) throw new ToolError("expected a length from 1 second to 24 hours");
      return add(call, deps, { kind: "timer", ms, dueAt: deps.bus.now() + ms, name });
    },
  );
}

function offerAlarm(tool: OfferTool, deps: TimerToolDeps): void {
  tool(
    {
      name: "set_alarm",
      description:
        "Sets an alarm or a reminder for a time of day, once or repeated. It rings on the device by itself, also after the end of the conversation.",
      schema: z.object({
        time: z
          .string()
          .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/)
          .describe("Local time of the device in 24 hours, as HH:MM"),
        date: z
          .string()
          .max(10)
          .optional()
          .describe("YYYY-MM-DD. Leave it out for the next time that the clock shows this"),
        days: z
          .array(z.enum(weekdays))
          .min(1)
          .max(7)
          .optional()
          .describe("Days on which it repeats. Leave it out for once"),
        name,
      }),
      finishes: true,
    },
    async ({ time, date, days, name }, call) => {
      if (date !== undefined && days !== undefined) throw new ToolError("expected a date or days, not both");
      const { timeZone } = placeOf(call, deps);
      const now = deps.bus.now();
      const numbers = days && [...new Set(days.map((day) => weekdays.indexOf(day) + 1))];
      const dueAt =
        date === undefined
          ? nextOccurrence({ time, timeZone, days: numbers }, now)
          : readDate(date, { time, timeZone });
      if (dueAt <= now || dueAt - now > furthestMs) throw new ToolError("expected a time within a year from now");
      return add(call, deps, { kind: "alarm", time, timeZone, days: numbers, dueAt, name });
    },
  );
}

function readDate(date: string, at: { readonly time: string; readonly timeZone: string }): number {
  try {
    return timeOn(date, at);
  } catch (error) {
    throw new ToolError("expected a date such as 2026-12-24", { cause: error });
  }
}

/** Stores a reminder once for each call, and tells when it rings. */
async function add(call: ToolCallInfo, deps: TimerToolDeps, given: Omit<Reminder, "device">): Promise<string> {
  const { phrases, describe } = speakTo(call, deps);
  const { device } = call;
  const reminder = { ...given, device };
  // A key of a bucket takes no other characters.
  const id = `${device}.${call.id.replaceAll(/[^A-Za-z0-9_-]/g, "-")}`;
  try {
    await deps.book.add(id, reminder);
  } catch (error) {
    if (error instanceof TooManyRemindersError) return phrases.tooMany(maxPerDevice);
    throw error;
  }
  return describe({ id, ...reminder });
}

/** Gives the words for reminders in the language of a call. */
function speakTo(call: ToolCallInfo, deps: TimerToolDeps) {
  const { phrases, language } = phrasesIn(placeOf(call, deps).language);
  const labelOf = (one: Reminder, tag = language) =>
    one.kind === "alarm"
      ? formatTime(one.dueAt, one.timeZone ?? "UTC", tag)
      : formatLength(one.ms ?? one.dueAt - deps.bus.now(), tag);
  const nameOf = (one: Reminder) =>
    kindOf(one) === "alarm" ? phrases.alarm(labelOf(one), one.name) : phrases.timer(labelOf(one), one.name);
  const whenOf = ({ kind, dueAt, days, timeZone = "UTC" }: Reminder) => {
    if (kind !== "alarm") return phrases.inTime(formatLength(dueAt - deps.bus.now(), language));
    if (days === undefined) return phrases.onDate(formatDate(dueAt, timeZone, language));
    return days.length === weekdays.length ? phrases.everyDay : phrases.every(formatDays(days, language));
  };
  return {
    phrases,
    nameOf,
    labelsOf: (one: Reminder) => [language, "en"].flatMap((tag) => [labelOf(one, tag), ...labelMore(one, tag)]),
    describe: (one: StoredReminder) => phrases.rings(nameOf(one), whenOf(one)),
  };
}

/** Gives a length in other units, and a time of day as it may be said: 19:30 and, without its half of the day, 7:30. */
function labelMore({ ms, time }: Reminder, language: string): readonly string[] {
  const lengths = ms === undefined ? [] : formatInUnits(ms, language);
  return time === undefined ? lengths : [time, `${Number(time.slice(0, 2)) % 12 || 12}${time.slice(2)}`];
}

function kindOf({ kind = "timer" }: Reminder): "timer" | "alarm" {
  return kind;
}
