import type { Bus } from "@voxbus/bus";
import { busVersion, subjects, type Say } from "@voxbus/protocol";
import { ulid } from "ulid";
import type { Reminder } from "./reminders.ts";

/** Stores an announcement of a reminder, once for each `id`. Throws BusAwayError. */
export async function announce(bus: Bus, { device, text }: Reminder, id: string): Promise<void> {
  const say: Say = {
    v: busVersion,
    reply: ulid(),
    attempt: 1,
    sentence: 0,
    text,
    emotion: "happy",
    language: "en",
    last: true,
  };
  await bus.store(subjects.sayOpen(device), say, { id });
}
