import { BusAwayError, type Bucket, type Bus, type BusLog } from "@voxbus/bus";
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
  /**
   * Announces a reminder, once for each `id`. If it rejects, it is called again: until NATS is back after BusAwayError, else 5
   * times at most.
   */
  readonly announce: (reminder: Reminder, id: string) => Promise<unknown>;
  readonly log: BusLog;
  /** Default: the clock of NATS, which all workers share. */
  readonly clock?: Clock;
}

type ReminderBucket = Bucket<Reminder, Reminder>;

const maxPerDevice = 20;
/** Time between two looks for reminders that other workers scheduled, ms. */
const scanMs = 5000;
/** Extra time that their own worker has to announce them, up to twice as much, ms. */
const othersMs = 500;
const retryMs = 1000;
const maxTries = 5;

/** Opens the book and watches its reminders until it is closed. */
export function openReminderBook({ bus, announce, log, ...options }: ReminderBookOptions): ReminderBook {
  const { clock = { ...systemClock, now: bus.now } } = options;
  const bucket = bus.bucket(buckets.reminders);
  /** The function that cancels the timer of each known reminder; undefined once the reminder is gone. */
  const timers = new Map<string, (() => void) | undefined>();
  let closed = false;

  const arm = (id: string, ms: number, tries?: number) => {
    if (closed) return;
    timers.get(id)?.();
    timers.set(
      id,
      clock.after(Math.max(0, ms), () => fire(id, tries)),
    );
  };
  const fire = async (id: string, tries = 1) => {
    try {
      const reminder = (await bucket.get(id))?.value;
      if (reminder !== undefined) {
        await announce(reminder, id);
        await bucket.remove(id);
      }
      timers.set(id, undefined);
    } catch (error) {
      const away = error instanceof BusAwayError;
      if (away || tries < maxTries) {
        log.warn({ err: error, reminder: id }, "reminder failed, retrying");
        arm(id, retryMs * tries, away ? tries : tries + 1);
      } else {
        log.error({ err: error, reminder: id }, "reminder failed, given up");
        timers.set(id, undefined);
      }
    }
  };
  const scan = async () => {
    try {
      const ids = new Set(await bucket.ids());
      for (const [id, cancel] of timers) if (cancel === undefined && !ids.has(id)) timers.delete(id);
      for (const id of ids) {
        if (timers.has(id)) continue;
        const reminder = (await bucket.get(id))?.value;
        if (timers.has(id)) continue;
        if (reminder === undefined) timers.set(id, undefined);
        else arm(id, Math.max(0, reminder.dueAt - clock.now()) + othersMs * (1 + Math.random()));
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
          const id = `${turn.device}.${turn.session}-${turn.origin}-${count}`;
          const reminder = { device: turn.device, text, dueAt: clock.now() + ms };
          if (await addReminder(bucket, id, reminder)) arm(id, ms);
        },
        async cancel() {
          const ids = await idsOf(bucket, turn.device);
          for (const id of ids) {
            await bucket.remove(id);
            timers.get(id)?.();
            timers.set(id, undefined);
          }
          return ids.length;
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

/** Stores a new reminder. Gives false if it is stored already. Throws RangeError if the device has too many. */
async function addReminder(bucket: ReminderBucket, id: string, reminder: Reminder): Promise<boolean> {
  const ids = await idsOf(bucket, reminder.device);
  if (ids.includes(id)) return false;
  if (ids.length >= maxPerDevice) throw new RangeError(`a device has at most ${maxPerDevice} reminders`);
  let added = false;
  await bucket.modify(id, (found) => {
    added = found === undefined;
    return added ? reminder : undefined;
  });
  return added;
}

/** Gives the ids of a device's reminders. The bucket also lists those that were removed. */
async function idsOf(bucket: ReminderBucket, device: string): Promise<readonly string[]> {
  const ids = await bucket.ids(device);
  const entries = await Promise.all(ids.map((id) => bucket.get(id)));
  return ids.filter((_, i) => entries[i]?.value !== undefined);
}
