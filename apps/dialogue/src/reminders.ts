import type { Reminders } from "./engine.ts";

const mostOfOneDevice = 20;

/** Everything that is to be announced later. It lives in this process and ends with it. */
export interface ReminderBook {
  of(device: string): Reminders;
  close(): void;
}

/** Creates an empty book; `announce` has a text spoken on a device. */
export function createReminderBook(announce: (device: string, text: string) => void): ReminderBook {
  const timers = new Map<string, Set<NodeJS.Timeout>>();
  const cancel = (device: string) => {
    const own = timers.get(device) ?? new Set();
    timers.delete(device);
    for (const timer of own) clearTimeout(timer);
    return own.size;
  };
  return {
    of: (device) => ({
      schedule(ms, text) {
        const own = timers.get(device) ?? new Set();
        if (own.size >= mostOfOneDevice) throw new RangeError(`a device has at most ${mostOfOneDevice} timers`);
        const timer = setTimeout(() => {
          own.delete(timer);
          if (own.size === 0) timers.delete(device);
          announce(device, text);
        }, ms);
        timers.set(device, own.add(timer));
      },
      cancel: () => cancel(device),
    }),
    close() {
      for (const device of timers.keys()) cancel(device);
    },
  };
}
