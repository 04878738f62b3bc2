import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "@voxbus/service";
import type { Send } from "@voxbus/subscriber";
import { Problem } from "../http/problems.ts";

/** Announcements that are stored a second: each is a reply that a tts speaks. */
export const announcementsPerSecond = 200;
const batchMs = 50;
const batch = (announcementsPerSecond * batchMs) / 1000;

/** What is spoken, and how. */
export type Announcement = Parameters<Send["say"]>[2] & { readonly text: string };

/** Has something spoken by many devices, one list of them at a time. */
export interface Announcer {
  /**
   * Begins, and gives how many seconds it takes until the last one is stored. Throws the problem `busy` while another list
   * is being worked off. What is left when the monitor stops is not spoken.
   */
  start(devices: readonly string[], announcement: Announcement): number;
}

/** Creates the announcer; it ends with `signal`. */
export function createAnnouncer(send: Send, log: Log, signal: AbortSignal): Announcer {
  let running = false;

  const run = async (devices: readonly string[], { text, ...how }: Announcement) => {
    let failed = 0;
    const pending = new Set<Promise<unknown>>();
    for (let from = 0; from < devices.length && !signal.aborted; from += batch) {
      for (const device of devices.slice(from, from + batch)) {
        const one: Promise<unknown> = send
          .say(device, text, how, signal)
          .catch((error: unknown) => {
            failed += 1;
            log.debug({ err: error, device }, "an announcement was not stored");
          })
          .finally(() => pending.delete(one));
        pending.add(one);
      }
      // While NATS is slow no more is begun than a second's worth.
      if (pending.size >= announcementsPerSecond) await Promise.race(pending);
      await sleep(batchMs);
    }
    await Promise.all(pending);
    log.info({ devices: devices.length, failed }, "announcements stored");
  };

  return {
    start(devices, announcement) {
      if (running) throw new Problem("busy", "another announcement to many devices is still going out; try again");
      running = true;
      run(devices, announcement)
        .catch((error: unknown) => log.error({ err: error }, "announcements broke off"))
        .finally(() => (running = false));
      return Math.ceil(devices.length / announcementsPerSecond);
    },
  };
}
