import { StorageFullError, type Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import type { Message } from "./engines/engine.ts";

const maxMessages = 50;
const maxBytes = 32_768;
const maxTextLength = 4096;

/** The messages exchanged with each device, kept in the bucket `dialogues`. */
export interface History {
  /** Gives at most 50 messages, oldest first. */
  read(device: string): Promise<readonly Message[]>;
  /**
   * Appends messages, also while other workers append. The oldest ones are dropped until the rest fits into 32 KiB of
   * JSON. A text of more than 4096 characters is cut there. Messages are
   * forgotten if the bucket is full.
   */
  append(device: string, messages: readonly Message[]): Promise<void>;
}

/** Creates the history. */
export function createHistory(bus: Bus): History {
  const bucket = bus.bucket(buckets.dialogues);
  return {
    read: async (device) => (await bucket.get(device))?.value?.messages ?? [],
    async append(device, added) {
      try {
        await bucket.modify(device, (dialogue) => ({ messages: trim([...(dialogue?.messages ?? []), ...added]) }));
      } catch (error) {
        // The bus has logged it. The answer does not depend on it.
        if (!(error instanceof StorageFullError)) throw error;
      }
    },
  };
}

function trim(messages: readonly Message[]): Message[] {
  const kept: Message[] = [];
  let bytes = 0;
  for (const message of messages.slice(-maxMessages).toReversed()) {
    const shortened = { ...message, text: message.text.slice(0, maxTextLength) };
    bytes += Buffer.byteLength(JSON.stringify(shortened));
    if (bytes > maxBytes) break;
    kept.push(shortened);
  }
  return kept.toReversed();
}
