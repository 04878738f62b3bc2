import { ConflictError, type Bucket, type Bus, type BusLog } from "@voxbus/bus";
import { buckets, type Reminder } from "@voxbus/protocol";
import { systemClock, type Clock } from "./clock.ts";
import type { Reminders } from "./engines/engine.ts";
import type { TurnId } from "./turn-input.ts";

/**
 * The reminders of all devices, kept in the bucket `reminders`, where they outlive the worker that scheduled them. One
 * worker announces each, once. Reminders that became due while no worker ran are announced as soon as one runs.
 */
export interface ReminderBook {
  /** Gives the reminders of a turn's device. A turn that is started again schedules none of its reminders twice. */
  of(turn: TurnId): Reminders;
  close(): void;
}

/** Dependencies of a reminder book. */
export interface ReminderBookOptions {
  readonly bus: Bus;
  /** Announces a reminder, once for each `id`. If it rejects, it is called again later. */
  readonly announce: (reminder: Reminder, id: string) => Promise<unknown>;
  readonly log: BusLog;
  readonly clock?: Clock;
}

const maxPerDevice = 20;
/** Time between two looks for reminders that other workers scheduled, ms. */
const scanMs = 5000;
/** Extra time that their own worker has to announce them, up to twice as much, ms. */
const othersMs = 500;
const retryMs = 1000;

/** Opens the book and watches its reminders until it is closed. */
export function openReminderBook({ bus, announce, log, clock = systemClock }: ReminderBookOptions): ReminderBook {
  const bucket = bus.bucket(buckets.reminders);
  const store = createStore(bucket);
  /** The function that cancels the timer of each known reminder; undefined once the reminder is gone. */
  const timers = new Map<string, (() => void) | undefined>();
  let closed = false;

  const arm = (key: string, ms: number) => {
    if (closed) return;
    timers.get(key)?.();
    timers.set(
      key,
      clock.after(Math.max(0, ms), () => fire(key)),
    );
  };
  const fire = async (key: string) => {
    try {
      const reminder = await store.read(key);
      if (reminder !== undefined) {
        await announce(reminder, key);
        await bucket.remove(key);
      }
      timers.set(key, undefined);
    } catch (error) {
      log.warn({ err: error, reminder: key }, "reminder failed, retrying");
      arm(key, retryMs);
    }
  };
  const scan = async () => {
    try {
      const keys = new Set(await bucket.ids());
      for (const [key, cancel] of timers) if (cancel === undefined && !keys.has(key)) timers.delete(key);
      for (const key of keys) {
        if (timers.has(key)) continue;
        const reminder = await store.read(key);
        if (timers.has(key)) continue;
        if (reminder === undefined) timers.set(key, undefined);
        else arm(key, Math.max(0, reminder.dueAt - clock.now()) + othersMs * (1 + Math.random()));
      }
    } catch (error) {
      log.warn({ err: error }, "reminder scan failed, retrying");
    }
    if (!closed) cancelScan = clock.after(scanMs, scan);
  };
  let cancelScan = clock.after(0, scan);

  return {
    of(turn) {
      let count = 0;
      return {
        async schedule(ms, text) {
          count += 1;
          const key = `${turn.device}.${turn.session}-${turn.origin}-${count}`;
          if (await store.add(key, { device: turn.device, text, dueAt: clock.now() + ms })) arm(key, ms);
        },
        async cancel() {
          const keys = await store.keysOf(turn.device);
          for (const key of keys) {
            await bucket.remove(key);
            timers.get(key)?.();
            timers.set(key, undefined);
          }
          return keys.length;
        },
      };
    },
    close() {
      closed = true;
      cancelScan();
      for (const cancel of timers.values()) cancel?.();
    },
  };
}

function createStore(bucket: Bucket<Reminder, Reminder>) {
  const read = async (key: string) => (await bucket.get(key))?.value;
  const keysOf = async (device: string) => {
    const keys = await bucket.ids(device);
    const found = await Promise.all(keys.map(async (key) => ((await read(key)) === undefined ? [] : [key])));
    return found.flat();
  };
  return {
    read,
    keysOf,
    /** Stores a new reminder; gives false if it is there already. Throws RangeError. */
    async add(key: string, reminder: Reminder): Promise<boolean> {
      const keys = await keysOf(reminder.device);
      if (keys.includes(key)) return false;
      if (keys.length >= maxPerDevice) throw new RangeError(`a device has at most ${maxPerDevice} reminders`);
      try {
        await bucket.update(key, reminder, 0);
        return true;
      } catch (error) {
        if (error instanceof ConflictError) return false;
        throw error;
      }
    },
  };
}
