import { ConflictError, type Bucket } from "@voxbus/bus";
import { deviceKey } from "@voxbus/protocol";
import { z } from "zod";
import type { Reminders } from "./engines/engine.ts";

const mostOfOneDevice = 20;
const prefix = "=timer";
/** How often a worker looks for reminders that others took down, ms. */
const usualScanMs = 5000;
/** Those of others are announced so much later, up to as much again: only if whoever took them down is gone, ms. */
const othersMs = 500;
const retryMs = 1000;

const Reminder = z.object({ device: z.string(), text: z.string(), dueAt: z.number() });

/**
 * Everything that is to be announced later, kept in the bucket `dialogues`: it outlives the worker that took it down.
 * Each is announced once, by whichever worker is there; what came due while none was, at once when one is back.
 */
export interface ReminderBook {
  /** The reminders of a turn's device; a turn that is started again takes none down twice. */
  of(turn: { readonly device: string; readonly session: string; readonly origin: number }): Reminders;
  close(): void;
}

/**
 * Opens the book; `announce` has a text spoken on a device, once for each `id`, and rejects when it must be tried again.
 * `onTrouble` is told of what is tried again.
 */
export function openReminderBook(
  bucket: Bucket,
  announce: (device: string, text: string, id: string) => Promise<unknown>,
  onTrouble: (error: unknown) => void,
  scanMs = usualScanMs,
): ReminderBook {
  /** The timer of each key that is known here; without one it is gone already. */
  const timers = new Map<string, NodeJS.Timeout | undefined>();
  let scanning = false;
  let closed = false;

  const arm = (key: string, ms: number) => {
    if (closed) return;
    clearTimeout(timers.get(key));
    timers.set(
      key,
      setTimeout(() => void fire(key), Math.max(0, ms)),
    );
  };
  const read = async (key: string) => Reminder.safeParse((await bucket.get(key))?.value).data;
  const fire = async (key: string) => {
    try {
      const reminder = await read(key);
      if (reminder !== undefined) {
        await announce(reminder.device, reminder.text, key);
        await bucket.remove(key);
      }
      timers.set(key, undefined);
    } catch (error) {
      onTrouble(error);
      arm(key, retryMs);
    }
  };
  const scan = async () => {
    if (scanning) return;
    scanning = true;
    try {
      const keys = new Set(await bucket.keys(prefix));
      for (const [key, timer] of timers) if (timer === undefined && !keys.has(key)) timers.delete(key);
      for (const key of keys) {
        if (timers.has(key)) continue;
        const reminder = await read(key);
        if (timers.has(key)) continue;
        if (reminder === undefined) timers.set(key, undefined);
        else arm(key, Math.max(0, reminder.dueAt - Date.now()) + othersMs * (1 + Math.random()));
      }
    } catch (error) {
      onTrouble(error);
    }
    scanning = false;
  };
  const interval = setInterval(() => void scan(), scanMs);
  void scan();

  const readAll = async (device: string) => {
    const keys = await bucket.keys(`${prefix}.${deviceKey(device)}`);
    const found = await Promise.all(keys.map(async (key) => ((await read(key)) === undefined ? [] : [key])));
    return found.flat();
  };

  return {
    of({ device, session, origin }) {
      let k = 0;
      return {
        async schedule(ms, text) {
          k += 1;
          const key = `${prefix}.${deviceKey(device)}.${session}-${origin}-${k}`;
          const all = await readAll(device);
          if (all.includes(key)) return;
          if (all.length >= mostOfOneDevice) throw new RangeError(`a device has at most ${mostOfOneDevice} timers`);
          const reminder = { device, text, dueAt: Date.now() + ms };
          try {
            await bucket.update(key, reminder, 0);
            arm(key, ms);
          } catch (error) {
            if (!(error instanceof ConflictError)) throw error;
          }
        },
        async cancel() {
          const all = await readAll(device);
          for (const key of all) {
            await bucket.remove(key);
            clearTimeout(timers.get(key));
            timers.set(key, undefined);
          }
          return all.length;
        },
      };
    },
    close() {
      closed = true;
      clearInterval(interval);
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}
