import type { Bus } from "@voxbus/bus";
import { buckets, type Reminder } from "@voxbus/protocol";

/** The most timers and alarms of a device. */
export const maxPerDevice = 20;

/** A reminder with the id under which it is stored. */
export interface StoredReminder extends Reminder {
  readonly id: string;
}

/** A device has as many timers and alarms as it may have. */
export class TooManyRemindersError extends Error {
  override readonly name = "TooManyRemindersError";
}

/** The timers and alarms of all devices, in the bucket `reminders`. Several processes may use it at once. */
export interface ReminderBook {
  /**
   * Stores a reminder of the device that its id begins with. One that is stored already stays as it is, so a call that is made
   * again adds nothing. Throws TooManyRemindersError.
   */
  add(id: string, reminder: Reminder): Promise<void>;
  /** Lists a device's reminders; the one that is due first comes first. */
  list(device: string): Promise<readonly StoredReminder[]>;
  remove(id: string): Promise<void>;
}

/** Opens the book. */
export function openReminderBook(bus: Bus): ReminderBook {
  const bucket = bus.bucket(buckets.reminders);
  const list: ReminderBook["list"] = async (device) => {
    // The bucket also lists those that were removed.
    const entries = await Promise.all((await bucket.ids(device)).map((id) => bucket.get(id)));
    return entries
      .flatMap((entry) => (entry?.value ? { id: entry.id, ...entry.value } : []))
      .toSorted((one, other) => one.dueAt - other.dueAt);
  };
  return {
    list,
    async add(id, reminder) {
      const others = await list(reminder.device);
      if (others.some((one) => one.id === id)) return;
      if (others.length >= maxPerDevice) throw new TooManyRemindersError(`a device has at most ${maxPerDevice}`);
      await bucket.modify(id, (found) => (found === undefined ? reminder : undefined));
    },
    remove: (id) => bucket.remove(id),
  };
}
