import type { Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import type { Message } from "./engines/engine.ts";

const maxMessages = 50;

/** The messages exchanged with each device, kept in the bucket `dialogues`. */
export interface History {
  /** Gives at most 50 messages, oldest first. */
  read(device: string): Promise<readonly Message[]>;
  /** Appends messages, also while other workers append. The oldest ones are dropped. */
  append(device: string, messages: readonly Message[]): Promise<void>;
}

/** Creates the history. */
export function createHistory(bus: Bus): History {
  const bucket = bus.bucket(buckets.dialogues);
  return {
    read: async (device) => (await bucket.get(device))?.value?.messages ?? [],
    append: (device, added) =>
      bucket.modify(device, (dialogue) => ({
        messages: [...(dialogue?.messages ?? []), ...added].slice(-maxMessages),
      })),
  };
}
