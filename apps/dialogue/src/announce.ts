import type { Bus } from "@voxbus/bus";
import { channels, type Reminder, type Say } from "@voxbus/protocol";
import { ulid } from "ulid";

/** Stores an announcement of a reminder, once for each `id`. Throws BusAwayError. */
export async function announce(bus: Bus, { device, text }: Reminder, id: string): Promise<void> {
  const say: Say = {
    reply: ulid(),
    attempt: 1,
    sentence: 0,
    text,
    emotion: "happy",
    language: "en",
    last: true,
  };
  await bus.store(channels.sayOpen(device), say, { id });
}
