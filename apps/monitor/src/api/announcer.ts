import type { Log, Send } from "@voxbus/subscriber";
import PQueue from "p-queue";
import { Problem } from "../http/problems.ts";
import { nameReply } from "../receipts/receipt-book.ts";

/** Announcements that are stored a second: each is a reply that a tts speaks. */
export const announcementsPerSecond = 200;
const batchMs = 50;

/** A text to speak, with its language and emotion. */
export type Announcement = Parameters<Send["say"]>[2] & { readonly text: string };

/** Has something spoken by many devices, one list of them at a time. */
export interface Announcer {
  /**
   * Begins, and gives how many seconds it takes until the last one is stored. `id` is the beginning of each device's
   * reply id. Throws the problem `busy` while another list is in progress. When the monitor stops, the rest is not spoken.
   */
  start(id: string, devices: readonly string[], announcement: Announcement): number;
}

/** Creates the announcer; it ends with `signal`. */
export function createAnnouncer(send: Send, log: Log, signal: AbortSignal): Announcer {
  // While NATS is slow, at most a second's worth is in progress.
  const queue = new PQueue({
    concurrency: announcementsPerSecond,
    interval: batchMs,
    intervalCap: (announcementsPerSecond * batchMs) / 1000,
  });
  signal.addEventListener("abort", () => queue.clear());

  return {
    start(id, devices, { text, ...how }) {
      if (queue.size + queue.pending > 0) {
        throw new Problem("busy", "another announcement to many devices is still going out; try again");
      }
      let failed = 0;
      for (const [index, device] of devices.entries()) {
        void queue.add(async () => {
          try {
            await send.say(device, text, { ...how, reply: nameReply(id, index) }, signal);
          } catch (error) {
            failed += 1;
            log.debug({ err: error, device }, "announcement not stored");
          }
        });
      }
      void queue.onIdle().then(() => log.info({ devices: devices.length, failed }, "announcements stored"));
      return Math.ceil(devices.length / announcementsPerSecond);
    },
  };
}
