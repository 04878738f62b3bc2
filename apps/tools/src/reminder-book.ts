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
  /** Reads the entries of a device, in the order in which they were stored. */
  const read = async (device: string) => {
    // The bucket also lists those that were removed.
    const entries = await Promise.all((await bucket.ids(device)).map((id) => bucket.get(id)));
    return entries
      .flatMap((entry) => (entry?.value ? [{ ...entry, value: entry.value }] : []))
      .toSorted((one, other) => one.revision - other.revision);
  };
  return {
    async list(device) {
      const reminders = (await read(device)).map(({ id, value }) => ({ id, ...value }));
      return reminders.toSorted((one, other) => one.dueAt - other.dueAt);
    },
    async add(id, reminder) {
      const { device } = reminder;
      const isAmong = (reminders: readonly { readonly id: string }[]) => reminders.some((one) => one.id === id);
      const others = await read(device);
      if (isAmong(others)) return;
      if (others.length < maxPerDevice) {
        await bucket.modify(id, (found) => (found === undefined ? reminder : undefined));
        // Others may have been stored at the same time. The first ones stay. One that is gone has rung already.
        if (!isAmong((await read(device)).slice(maxPerDevice))) return;
        await bucket.remove(id);
      }
      throw new TooManyRemindersError(`a device has at most ${maxPerDevice}`);
    },
    remove: (id) => bucket.remove(id),
  };
}
